//! Atomics that tell the run of their accesses. Outside of a run they are plain atomics.

use std::sync::atomic::{self, Ordering};

use super::memory::Access;
use super::run;

/// What an atomic holds, as wide as any.
trait Word: Copy {
    fn widen(self) -> i64;
    fn narrow(wide: i64) -> Self;
}

macro_rules! word {
    ($name:ty) => {
        impl Word for $name {
            fn widen(self) -> i64 {
                i64::from(self)
            }

            fn narrow(wide: i64) -> Self {
                Self::try_from(wide).expect("it was stored as one of these")
            }
        }
    };
}

word!(i32);
word!(i64);
word!(u8);

/// A fence between what came before it and what comes after.
pub fn fence(ordering: Ordering) {
    if run::fence(&Access::new(0, 0, ordering)).is_none() {
        atomic::fence(ordering);
    }
}

macro_rules! modelled {
    ($name:ident, $value:ty) => {
        /// An atomic of the standard library that tells the run of its accesses.
        #[derive(Debug, Default)]
        #[repr(transparent)]
        pub struct $name(atomic::$name);

        impl $name {
            /// An atomic of its own.
            #[must_use]
            pub const fn new(value: $value) -> Self {
                Self(atomic::$name::new(value))
            }

            /// The atomic at a place.
            ///
            /// # Safety
            /// As for the one of the standard library.
            #[must_use]
            pub const unsafe fn from_ptr<'a>(at: *mut $value) -> &'a Self {
                // SAFETY: MEM-4: the caller vouches for the place; the wrapper is transparent.
                unsafe { &*at.cast::<Self>() }
            }

            fn access(&self, ordering: Ordering) -> Access {
                let address = std::ptr::from_ref(self).addr();
                Access::new(address, size_of::<$value>(), ordering)
            }

            fn now(&self) -> i64 {
                self.0.load(Ordering::SeqCst).widen()
            }

            fn write(&self, value: i64) {
                self.0.store(Word::narrow(value), Ordering::SeqCst);
            }

            /// Loads.
            #[must_use]
            pub fn load(&self, ordering: Ordering) -> $value {
                match run::load(&self.access(ordering), || self.now()) {
                    Some(value) => Word::narrow(value),
                    None => self.0.load(ordering),
                }
            }

            /// Stores.
            pub fn store(&self, value: $value, ordering: Ordering) {
                let (access, wide) = (self.access(ordering), value.widen());
                if run::store(&access, wide, || self.now(), |wide| self.write(wide)).is_none() {
                    self.0.store(value, ordering);
                }
            }

            /// Adds, and returns what was there.
            pub fn fetch_add(&self, delta: $value, ordering: Ordering) -> $value {
                let add = |value| Some(<$value>::narrow(value).wrapping_add(delta).widen());
                let access = self.access(ordering);
                match run::modify(&access, || self.now(), |value| self.write(value), add) {
                    Some(Ok(value) | Err(value)) => Word::narrow(value),
                    None => self.0.fetch_add(delta, ordering),
                }
            }

            /// Replaces what is there if it is `current`.
            ///
            /// # Errors
            /// It is something else.
            pub fn compare_exchange(
                &self,
                current: $value,
                new: $value,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                let swap = |value| (value == current.widen()).then_some(new.widen());
                let access = self.access(success);
                match run::modify(&access, || self.now(), |value| self.write(value), swap) {
                    Some(Ok(value)) => Ok(Word::narrow(value)),
                    Some(Err(value)) => Err(Word::narrow(value)),
                    None => self.0.compare_exchange(current, new, success, failure),
                }
            }
        }
    };
}

modelled!(AtomicI32, i32);
modelled!(AtomicI64, i64);
modelled!(AtomicU8, u8);
