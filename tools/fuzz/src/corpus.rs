//! The inputs that are kept: one file each, in a folder per target.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use aileron::base::Rng;

use crate::mutation::mutate;
use crate::targets::Target;

/// Where the corpora of all targets are, in the sources.
#[must_use]
pub fn corpus_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")
}

/// The inputs of a target.
#[derive(Clone, Debug)]
pub struct Corpus {
    target: &'static Target,
    /// Names and contents, by name.
    inputs: Vec<(String, Vec<u8>)>,
}

impl Corpus {
    /// Reads the inputs of a target below `dir`, in the order of their names.
    ///
    /// # Errors
    /// What the operating system answers.
    pub fn read(target: &'static Target, dir: &Path) -> io::Result<Self> {
        let mut inputs = Vec::new();
        for entry in fs::read_dir(dir.join(target.name))? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            inputs.push((name, fs::read(entry.path())?));
        }
        inputs.sort();
        Ok(Self { target, inputs })
    }

    /// How many there are.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "none is empty in practice")]
    pub const fn len(&self) -> usize {
        self.inputs.len()
    }

    /// Runs all of them, and calls `before` with the name of each.
    pub fn replay(&self, mut before: impl FnMut(&str)) {
        for (name, bytes) in &self.inputs {
            before(name);
            (self.target.run)(bytes);
        }
    }

    /// Runs `runs` random changes of them; `before` is called with each input.
    pub fn search(&self, rng: &mut Rng, runs: u64, mut before: impl FnMut(&[u8])) {
        let pick = |rng: &mut Rng| {
            let at = rng.below(self.inputs.len().max(1) as u64);
            let input = usize::try_from(at).ok().and_then(|at| self.inputs.get(at));
            input.map_or(&[][..], |(_, bytes)| bytes)
        };
        for _ in 0..runs {
            let mut bytes = pick(rng).to_vec();
            let other = pick(rng);
            mutate(rng, &mut bytes, other);
            before(&bytes);
            (self.target.run)(&bytes);
        }
    }
}
