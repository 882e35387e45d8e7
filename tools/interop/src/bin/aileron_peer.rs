//! The peer of the interop tests that is this implementation, driver and client.
fn main() {}
