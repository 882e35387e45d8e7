//! Tests of the CnC file.
