//! The images of the receiver, in slots that keep their number as long as they are in use.

use crate::base::CorrelationId;
use crate::driver::dispatcher::ImageSlot;
use crate::driver::image::ReceiverHalf;

/// All images, whichever endpoint they belong to.
#[derive(Debug, Default)]
pub(super) struct Images {
    slots: Vec<Option<Box<ReceiverHalf>>>,
    /// Slots that are not in use.
    free: Vec<usize>,
}

impl Images {
    /// Puts an image into a free slot.
    pub(super) fn insert(&mut self, image: Box<ReceiverHalf>) -> ImageSlot {
        if let Some(index) = self.free.pop() {
            debug_assert!(self.slots[index].is_none(), "slot {index} is free");
            self.slots[index] = Some(image);
            return ImageSlot(index);
        }
        self.slots.push(Some(image));
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

    /// All slots, used and free.
    pub(super) fn slots(&self) -> impl Iterator<Item = ImageSlot> + use<> {
        (0..self.slots.len()).map(ImageSlot)
    }

    /// Visits all images in the order of their slots.
    pub(super) fn for_each_mut(&mut self, mut visit: impl FnMut(&mut ReceiverHalf)) {
        for image in self.slots.iter_mut().flatten() {
            visit(image);
        }
    }
}
