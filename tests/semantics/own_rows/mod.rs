//! Rows that only aileron's client can express: its typed errors, its own interfaces.

mod section_10;
mod section_18;
mod section_19;
