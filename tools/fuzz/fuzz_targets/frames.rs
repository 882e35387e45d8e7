//! See `aileron_fuzz::targets::frames`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| aileron_fuzz::targets::frames(data));
