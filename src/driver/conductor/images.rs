//! Images: from the SETUP that asks for one to the end (`driver.md` §8.1, §8.7, §8.8).

use crate::base::{CorrelationId, CounterId, Position, RegistrationId};
use crate::cnc::SystemCounter;
use crate::command::RejectImage;
use crate::concurrent::EventKind;
use crate::driver::failure::CommandFailure;
use crate::driver::image::{ConductorHalf, ImageEvent, ReceiverHalf};
use crate::driver::messages::{ImageRequest, ReceiverMessage};
use crate::driver::resources::{CreatedLog, RequestId, ResourceTask};
use crate::logbuffer::{LogFileKind, LogName};
use crate::port::Network;

use super::Conductor;
use super::inbox::ReResolution;
use super::linking::Stream;

/// Longest reason for a rejection, in bytes.
const REJECT_REASON_LENGTH_MAX: usize = 1023;

/// An image and what the conductor needs to know of it besides.
#[derive(Debug)]
pub(super) struct Image {
    pub(super) half: ConductorHalf,
    /// Path of its log as announced to clients.
    pub(super) path: String,
    /// All its counters but the subscribers' positions.
    pub(super) counters: Vec<CounterId>,
}

impl Image {
    /// Its ids, as events have them.
    fn log_values(&self) -> [i64; 3] {
        [
            self.half.correlation_id().get(),
            i64::from(self.half.session_id().get()),
            i64::from(self.half.stream_id().get()),
        ]
    }

    /// The log, to be freed.
    pub(super) fn into_log(self) -> CreatedLog {
        CreatedLog {
            log: self.half.log().clone(),
            path: self.path,
        }
    }
}

/// A message of another agent that waits for the resource agent.
#[derive(Debug)]
pub(super) struct PendingDriverCommand {
    /// What it waits for.
    pub(super) request: RequestId,
    /// How to go on.
    pub(super) step: DriverStep,
}

/// How a pending message goes on.
#[derive(Debug)]
pub(super) enum DriverStep {
    /// With the log of an image.
    ImageLog(Box<NewImage>),
    /// With the address that a name resolves to now.
    ReResolution(ReResolution),
}

/// An image that waits for its log.
#[derive(Debug)]
pub(super) struct NewImage {
    pub(super) request: ImageRequest,
    pub(super) correlation_id: CorrelationId,
    pub(super) join_position: Position,
    pub(super) window_length: i32,
    /// What it may grow to.
    pub(super) window_length_max: i32,
}

impl<N: Network> Conductor<N> {
    /// A SETUP arrived for a session that is wanted. Returns what to wait for; without it the
    /// receiver has been told that no image came of it.
    pub(super) fn on_create_image(
        &mut self,
        request: ImageRequest,
    ) -> Option<PendingDriverCommand> {
        match self.prepare_image(&request) {
            Ok(Some((new, spec))) => {
                let id = new.correlation_id.get();
                let name = LogName {
                    kind: LogFileKind::Image,
                    id,
                };
                let request = self.ctx.request(ResourceTask::CreateLog { name, spec });
                Some(PendingDriverCommand {
                    request,
                    step: DriverStep::ImageLog(new),
                })
            }
            Ok(None) => {
                self.abandon_image(&request);
                None
            }
            Err(failure) => {
                self.ctx.record(&failure);
                self.abandon_image(&request);
                None
            }
        }
    }

    pub(super) fn on_image_log(&mut self, new: &NewImage, log: Result<CreatedLog, CommandFailure>) {
        let failure = match log {
            Ok(log) => match self.create_image(new, &log) {
                Ok(true) => return,
                Ok(false) => {
                    self.ctx.free_log(log);
                    None
                }
                Err(failure) => {
                    self.ctx.free_log(log);
                    Some(failure)
                }
            },
            Err(failure) => Some(failure),
        };
        if let Some(failure) = failure {
            self.ctx.record(&failure);
        }
        self.abandon_image(&new.request);
    }

    /// The receiver gave its half back.
    pub(super) fn on_image_released(&mut self, half: ReceiverHalf) {
        let id = half.correlation_id();
        drop(half);
        if let Some(image) = self.images.get_mut(&id) {
            image.half.on_released();
        }
        self.remove_image_if_done(id);
    }

    /// Timer: moves all images through their states and removes those that are done.
    pub(super) fn check_images(&mut self) {
        let ids: Vec<CorrelationId> = self.images.keys().copied().collect();
        for id in ids {
            let Some(image) = self.images.get_mut(&id) else {
                continue;
            };
            let mut untethered = Vec::new();
            let before = image.half.state_name();
            let event = image.half.on_timer(self.ctx.tick, &mut untethered);
            let (state, stream) = (image.half.state_name(), image.log_values());
            if state != before {
                self.ctx.log(EventKind::ImageStateChange, &stream, state);
            }
            for event in untethered {
                self.on_untethered(Stream::Image(id), event);
            }
            match event {
                ImageEvent::None => {}
                ImageEvent::Unavailable => self.on_image_unavailable(id),
                ImageEvent::Unlink => {
                    if let Some(image) = self.images.get_mut(&id) {
                        let counters = image.half.clear_subscribers();
                        self.ctx.free_counters(counters);
                    }
                }
            }
            self.remove_image_if_done(id);
        }
    }

    /// A client rejects an image, or the stream of an IPC publication.
    pub(super) fn on_reject_image(
        &mut self,
        command: &RejectImage<'_>,
    ) -> Result<(), CommandFailure> {
        let id = command.image_correlation_id;
        if command.reason.len() > REJECT_REASON_LENGTH_MAX {
            return Err(CommandFailure::generic(format!(
                "reason of {} bytes for rejecting image correlationId={id} is longer than \
                 {REJECT_REASON_LENGTH_MAX}",
                command.reason.len()
            )));
        }
        let is_image = self
            .images
            .get(&id)
            .is_some_and(|image| image.half.is_available());
        if is_image {
            self.ctx.receiver.send(ReceiverMessage::RejectImage {
                image: id,
                position: command.position,
                reason: String::from_utf8_lossy(command.reason).into_owned(),
            });
        } else if !self.reject_ipc_publication(RegistrationId::from(id), command.reason) {
            let text = format!("unable to resolve image for correlationId={id}");
            return Err(CommandFailure::generic(text));
        }
        self.ctx.count(SystemCounter::ImagesRejected);
        self.ctx.events.operation_success(command.correlation_id);
        Ok(())
    }

    fn on_image_unavailable(&mut self, id: CorrelationId) {
        self.announce_unavailable(Stream::Image(id));
        let Some(image) = self.images.get(&id) else {
            return;
        };
        let half = &image.half;
        let (endpoint, session_id, stream_id) =
            (half.endpoint(), half.session_id(), half.stream_id());
        let last_link = half.subscribers().links().last().map(|(link, _)| link);
        let is_rejoin = self
            .subscription_links
            .iter()
            .find(|link| Some(link.id) == last_link)
            .is_none_or(|link| link.is_rejoin);
        self.ctx
            .receiver
            .send(ReceiverMessage::RemoveImage { image: id });
        if is_rejoin {
            let message = ReceiverMessage::RemoveCoolDown {
                endpoint,
                session_id,
                stream_id,
                image: id,
            };
            self.ctx.receiver.send(message);
        }
        if let Some(record) = self.receive_endpoints.get_mut(&endpoint) {
            record.image_count = record.image_count.saturating_sub(1);
        }
        self.close_receive_endpoint_if_unused(endpoint);
    }

    fn remove_image_if_done(&mut self, id: CorrelationId) {
        let is_done = self
            .images
            .get(&id)
            .is_some_and(|image| image.half.has_reached_end_of_life());
        if is_done && let Some(mut image) = self.images.remove(&id) {
            self.ctx
                .log(EventKind::RemoveImageCleanup, &image.log_values(), "");
            self.ctx.free_counters(std::mem::take(&mut image.counters));
            self.ctx.free_log(image.into_log());
        }
    }

    /// Tells the receiver that no image came of a SETUP, so that the next one is taken up again.
    fn abandon_image(&mut self, request: &ImageRequest) {
        if self.ctx.logs.conductor.is_on() {
            let (session, stream) = (request.session_id.get(), request.stream_id.get());
            let source = request.source.to_string();
            let values = [i64::from(session), i64::from(stream)];
            self.ctx.log(EventKind::ImageRefused, &values, &source);
        }
        self.ctx
            .receiver
            .send(ReceiverMessage::RemoveInitInProgress {
                endpoint: request.endpoint,
                session_id: request.session_id,
                stream_id: request.stream_id,
            });
    }
}
