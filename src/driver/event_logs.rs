//! The event log of a driver: a lane for each agent.

use crate::concurrent::{EventFile, EventSet, EventWriter};

/// The agents that have a lane in the file of events, in the order of the lanes.
///
/// ```
/// assert_eq!(aileron::driver::EVENT_LANES, ["conductor", "sender", "receiver", "resources"]);
/// ```
pub const EVENT_LANES: [&str; 4] = ["conductor", "sender", "receiver", "resources"];

/// The writers of the lanes. Each belongs to the agent of its name, whoever carries it there.
#[derive(Clone, Debug, Default)]
pub(crate) struct EventLogs {
    pub(crate) conductor: EventWriter,
    pub(crate) sender: EventWriter,
    pub(crate) receiver: EventWriter,
    pub(crate) resources: EventWriter,
}

impl EventLogs {
    /// Writers of the kinds in `wanted`; without a file they write nothing.
    pub(crate) fn new(file: Option<&EventFile>, wanted: EventSet) -> Self {
        let Some(file) = file else {
            return Self::default();
        };
        Self {
            conductor: file.writer(0, wanted),
            sender: file.writer(1, wanted),
            receiver: file.writer(2, wanted),
            resources: file.writer(3, wanted),
        }
    }
}
