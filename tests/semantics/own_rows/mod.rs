//! Rows that only aileron's client can express: its typed errors, its own interfaces.

mod section_02;
mod section_03;
mod section_06;
mod section_10;
mod section_16;
mod section_18;
mod section_19;
