//! See `aileron_fuzz::targets::resolver`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| aileron_fuzz::targets::resolver(data));
