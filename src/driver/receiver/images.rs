//! The images of the receiver, in slots that keep their number as long as they are in use.

use crate::base::{CorrelationId, Nanos};
use crate::driver::dispatcher::ImageSlot;
use crate::driver::image::ReceiverHalf;
use crate::driver::rota::{Rota, Turns};

/// All images, whichever endpoint they belong to.
#[derive(Debug)]
pub(super) struct Images {
    slots: Vec<Option<Box<ReceiverHalf>>>,
    /// Slots that are not in use.
    free: Vec<usize>,
    /// Whose turn it is, by slot.
    rota: Rota,
}

impl Images {
    /// No images.
    pub(super) fn new(now: Nanos) -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            rota: Rota::new(now),
        }
    }

    /// Puts an image into a free slot.
    pub(super) fn insert(&mut self, image: Box<ReceiverHalf>) -> ImageSlot {
        if let Some(index) = self.free.pop() {
            debug_assert!(self.slots[index].is_none(), "slot {index} is free");
            self.slots[index] = Some(image);
            self.rota.has_worked(index);
            return ImageSlot(index);
        }
        self.slots.push(Some(image));
        self.rota.push();
        ImageSlot(self.slots.len() - 1)
    }

    /// Takes an image out of its slot.
    pub(super) fn remove(&mut self, slot: ImageSlot) -> Option<Box<ReceiverHalf>> {
        let image = self.slots.get_mut(slot.0)?.take()?;
        self.free.push(slot.0);
        Some(image)
    }

    /// The image in a slot.
    #[inline]
    pub(super) fn get_mut(&mut self, slot: ImageSlot) -> Option<&mut ReceiverHalf> {
        self.slots.get_mut(slot.0)?.as_deref_mut()
    }

    /// Where an image is. For commands: it looks through all of them.
    pub(super) fn find(&self, image: CorrelationId) -> Option<ImageSlot> {
        let is_it = |slot: &Option<Box<ReceiverHalf>>| {
            slot.as_ref()
                .is_some_and(|half| half.correlation_id() == image)
        };
        self.slots.iter().position(is_it).map(ImageSlot)
    }

    /// Begins a duty cycle.
    pub(super) fn begin_turns(&mut self, now: Nanos) -> Turns {
        self.rota.begin(now)
    }

    /// Goes on to the idle ones that are due.
    pub(super) fn begin_idle_turns(&mut self, now: Nanos) {
        self.rota.begin_idle(now);
    }

    /// The next slot of those, used or free.
    pub(super) fn next_idle_turn(&mut self) -> Option<ImageSlot> {
        self.rota.next_idle().map(ImageSlot)
    }

    /// The next slot that has a turn in this cycle, used or free.
    pub(super) fn next_turn(&self, turns: &mut Turns) -> Option<ImageSlot> {
        self.rota.next(turns).map(ImageSlot)
    }

    /// Notes that the image in a slot had something to do, or has now.
    #[inline]
    pub(super) fn has_worked(&mut self, slot: ImageSlot) {
        self.rota.has_worked(slot.0);
    }

    /// Notes that there was something to do, but nothing that makes an image busy.
    #[inline]
    pub(super) const fn has_worked_a_little(&mut self) {
        self.rota.has_worked_a_little();
    }

    /// How many slots there are, used and free.
    #[cfg(test)]
    pub(super) fn slot_count(&self) -> usize {
        self.slots.len()
    }

    /// Visits all images in the order of their slots.
    pub(super) fn for_each_mut(&mut self, mut visit: impl FnMut(&mut ReceiverHalf)) {
        for image in self.slots.iter_mut().flatten() {
            visit(image);
        }
    }
}
