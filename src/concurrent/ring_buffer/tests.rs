//! Tests of the ring buffer.
