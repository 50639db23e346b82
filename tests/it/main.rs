//! Integration tests: the house as a whole, and its rooms against real parts.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod layering;
