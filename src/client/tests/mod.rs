//! Tests of the client against a driver made of test code.
