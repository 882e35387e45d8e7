//! The lines of the blocks for a shell, and who runs them.

use std::path::PathBuf;

use crate::pages::{pages, root, take_apart};

/// The pages of the book, and the first page of all.
pub(crate) fn pages_with_readme() -> Vec<(PathBuf, String)> {
    let path = root().join("README.md");
    let text = std::fs::read_to_string(&path).expect("text");
    let mut pages = pages();
    pages.push((path, text));
    pages
}

/// Which test runs a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Runner {
    /// That of the tool, on a driver and in a terminal of its own.
    Tool,
    /// That of the driver, which runs whatever is not the tool.
    Driver,
}

/// A command that a page tells its reader to give.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Line {
    /// The name of the file that it stands in.
    pub(crate) page: String,
    /// Its number there.
    pub(crate) number: usize,
    /// What stands before the program, as in `AERON_DIR=/here aileronmd`.
    pub(crate) environment: Vec<(String, String)>,
    pub(crate) program: String,
    pub(crate) arguments: Vec<String>,
    /// Whether it ends in `&`.
    pub(crate) is_background: bool,
}

impl Line {
    /// Reads words, quotation marks, comments and a last `&`, as a shell does; nothing if it is all
    /// comment. Whatever else a shell can is an error, for nobody runs it. Rights that the reader
    /// takes (`sudo`) are left out.
    pub(crate) fn parse(page: &str, number: usize, text: &str) -> Result<Option<Self>, String> {
        let (mut words, mut word) = (Vec::new(), None::<String>);
        let (mut is_quoted, mut is_background) = (false, false);
        for c in text.chars() {
            match c {
                '"' => {
                    is_quoted = !is_quoted;
                    word.get_or_insert_default();
                }
                '#' if !is_quoted && word.is_none() => break,
                ' ' if !is_quoted => words.extend(word.take()),
                '&' if !is_quoted && !is_background => is_background = true,
                c if "$`\\".contains(c)
                    || !is_quoted && (is_background || "|&;<>()'*?~".contains(c)) =>
                {
                    return Err(format!(
                        "{page}:{number}: nobody runs a line with '{c}': {text}"
                    ));
                }
                c => word.get_or_insert_default().push(c),
            }
        }
        words.extend(word);
        if is_quoted {
            return Err(format!("{page}:{number}: a quotation does not end: {text}"));
        }
        let mut words = words.into_iter().peekable();
        let mut line = Self {
            page: page.to_owned(),
            number,
            is_background,
            ..Self::default()
        };
        while let Some(word) = words.next_if(|word| word == "sudo" || word.contains('=')) {
            let assignment = word.split_once('=');
            line.environment
                .extend(assignment.map(|(name, value)| (name.to_owned(), value.to_owned())));
        }
        let Some(program) = words.next() else {
            return Ok(None);
        };
        line.program = program;
        line.arguments = words.collect();
        Ok(Some(line))
    }

    /// Where it stands.
    pub(crate) fn place(&self) -> String {
        format!("{}:{}", self.page, self.number)
    }

    /// The program without its path.
    pub(crate) fn name(&self) -> &str {
        let name = self.program.rsplit('/').next();
        name.unwrap_or(&self.program)
    }

    pub(crate) fn runner(&self) -> Runner {
        match self.name() {
            "aileron" => Runner::Tool,
            _ => Runner::Driver,
        }
    }

    pub(crate) fn text(&self) -> String {
        let assignments = self.environment.iter();
        let assignments = assignments.map(|(name, value)| format!("{name}={value}"));
        let words = assignments.chain([self.program.clone()]);
        let words: Vec<String> = words.chain(self.arguments.iter().cloned()).collect();
        words.join(" ")
    }
}

/// The commands of all blocks for a shell, each page's in their order.
pub(crate) fn lines() -> Result<Vec<Line>, String> {
    let mut lines = Vec::new();
    for (path, page) in pages_with_readme() {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let blocks = take_apart(&page).0.into_iter();
        for block in blocks.filter(|block| block.language == "sh") {
            for (number, text) in (block.line + 1..).zip(block.text.lines()) {
                lines.extend(Line::parse(&name, number, text)?);
            }
        }
    }
    Ok(lines)
}

#[test]
fn lines_are_read_as_a_shell_reads_them() {
    let parse = |text: &str| Line::parse("here", 1, text);
    let line = parse("sudo A=b c/d \"e f|g\" h -i=j &  # and so on");
    let line = line.expect("legal").expect("a command");
    assert_eq!(line.text(), "A=b c/d e f|g h -i=j");
    assert_eq!(line.arguments, ["e f|g", "h", "-i=j"]);
    assert_eq!(line.environment, [("A".to_owned(), "b".to_owned())]);
    assert!(line.is_background && line.name() == "d");
    assert_eq!(parse("  # nothing"), Ok(None));
    for text in [
        "a | b", "a && b", "a & b", "a > b", "a; b", "a \"$B\"", "a 'b'", "\"a",
    ] {
        assert!(parse(text).is_err(), "{text}");
    }
}
