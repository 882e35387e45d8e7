//! Tests of the broadcast buffer.
