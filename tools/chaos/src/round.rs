//! One round from beginning to end.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use aileron::base::Rng;

use crate::failure::Failure;
use crate::plan::{Layout, Plan};
use crate::possessions::errors_of;
use crate::report::Told;
use crate::scene::{Scene, unmount_small_storage};
use crate::stage::{Kind, Side};
use crate::timing::Timing;

/// What came of a round.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) plan: Plan,
    /// What clients were told, and how fast.
    pub(crate) told: Vec<Told>,
    pub(crate) failure: Option<Failure>,
    pub(crate) began: Instant,
    pub(crate) duration: Duration,
    /// Messages that arrived at publishers' ends, as far as the survivors can tell.
    pub(crate) messages: u64,
    /// What is kept of a round that failed.
    pub(crate) kept: Option<PathBuf>,
}

/// Runs the round of a plan, in a directory of its own below `parent`.
pub(crate) fn run(plan: Plan, timing: Timing, parent: &Path) -> Outcome {
    let began = Instant::now();
    let seed = plan.seed;
    let made = tempfile::Builder::new()
        .prefix(&format!("aileron-chaos-{seed}-"))
        .tempdir_in(parent);
    let root = match made {
        Ok(root) => root,
        Err(error) => {
            return Outcome {
                plan,
                told: Vec::new(),
                failure: Some(Failure::setup("directory", error)),
                began,
                duration: began.elapsed(),
                messages: 0,
                kept: None,
            };
        }
    };
    let is_mounted = plan.layout == Layout::SmallStorage;
    let mut told = Vec::new();
    let mut messages = 0;
    let mut transcript = None;
    let outcome = Scene::set(plan.clone(), timing, root.path()).and_then(|mut scene| {
        let outcome = play(&mut scene).map(|count| messages = count);
        if outcome.is_err() {
            transcript = Some(testimony(&scene));
        }
        told = std::mem::take(&mut scene.told);
        outcome
    });
    let mut kept = None;
    if outcome.is_err() {
        let text = transcript.unwrap_or_default();
        kept = keep(root, is_mounted, &format!("{plan}\n{text}"));
    } else if is_mounted {
        unmount_small_storage(root.path());
    }
    Outcome {
        plan,
        told,
        failure: outcome.err(),
        began,
        duration: began.elapsed(),
        messages,
        kept,
    }
}

/// Plays the round; returns how many messages its survivors sent.
fn play(scene: &mut Scene) -> Result<u64, Failure> {
    let mut rng = Rng::new(!scene.plan.seed);
    scene.complete()?;
    if scene.plan.layout != Layout::Fanout {
        check_beginnings(scene)?;
    }
    for (calm, fault) in scene.plan.faults.clone() {
        scene.stage.pass(calm)?;
        scene.strike(fault, &mut rng)?;
        scene.complete()?;
    }
    let messages = finish(scene)?;
    let mut clients = scene.stage.clients_of(Side::Near);
    clients.extend(scene.stage.clients_of(Side::Far));
    scene.stage.dismiss(&clients, scene.timing.watchdog())?;
    for side in scene.sides() {
        scene.check_possessions(side)?;
    }
    let drivers = scene.stage.living(Kind::Driver);
    scene.stage.dismiss(&drivers, scene.timing.watchdog())?;
    check_leftovers(scene)?;
    Ok(messages)
}

/// Whoever was there before its publisher has got its messages from the first one on.
fn check_beginnings(scene: &Scene) -> Result<(), Failure> {
    for (subscriber, publisher) in scene.pairs() {
        let sender = scene.sender_of(publisher);
        let first = scene
            .stage
            .last_of(subscriber, &[&format!("first {sender} ")]);
        let first = first.unwrap_or_default();
        if !first.starts_with(&format!("first {sender} 0 ")) {
            let name = &scene.stage.actors[subscriber].name;
            let text = format!("{name} begins with {first:?}");
            return Err(Failure::Violation(text));
        }
    }
    Ok(())
}

/// Every publisher sends its last message, and every subscriber gets it.
fn finish(scene: &mut Scene) -> Result<u64, Failure> {
    let (since, limit) = (Instant::now(), scene.timing.watchdog());
    let publishers = scene.stage.living(Kind::Publisher);
    for publisher in &publishers {
        scene.stage.order(*publisher, "finish");
    }
    let mut messages = 0;
    for publisher in publishers {
        let said = scene.stage.await_words(publisher, "sent ", since, limit)?;
        let words = said.words.unwrap_or_default();
        let total: u64 = words[5..].parse().unwrap_or(0);
        messages += total;
        let complete = format!("complete {} {total}", scene.sender_of(publisher));
        for subscriber in scene.stage.living(Kind::Subscriber) {
            scene
                .stage
                .await_words(subscriber, &complete, since, limit)?;
        }
    }
    Ok(messages)
}

/// Drivers that were closed have taken their directories with them.
fn check_leftovers(scene: &Scene) -> Result<(), Failure> {
    let entries = std::fs::read_dir(&scene.stage.root);
    let entries = entries.map_err(|error| Failure::setup("directory", error))?;
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        // Complaints of the processes, and errors of drivers that were killed.
        if !name.ends_with(".err") && !name.ends_with("-error.log") {
            return Err(Failure::Leak(format!("{name} is left in the directory")));
        }
    }
    Ok(())
}

/// What is known of a round that failed.
fn testimony(scene: &Scene) -> String {
    let mut text = scene.stage.transcript();
    for side in scene.sides() {
        for error in errors_of(&scene.directory(side)) {
            text.push_str(&format!("{side:?} driver's error: {error}\n"));
        }
    }
    text
}

/// Keeps the directory of a round that failed, with its story.
fn keep(root: tempfile::TempDir, is_mounted: bool, story: &str) -> Option<PathBuf> {
    let path = root.keep();
    if is_mounted {
        // What is on the small file system goes with this process; the story must not.
        unmount_small_storage(&path);
    }
    std::fs::write(path.join("story.txt"), story).ok()?;
    Some(path)
}
