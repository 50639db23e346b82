//! The catalog: `connectors/` and `mappings/` from disk to the core's types, and everything wrong with them at once.
//!
//! Reading goes in steps: bytes to a tree that knows its places ([`yaml`]), what a customer adds laid over it ([`overlay`]), tree
//! to a form ([`decode`]), form to the core's
//! checked types, then what only shows when files are looked at together. Every step adds its problems
//! and the next goes on with what is sound, so that one check shows them all ([`diagnostic`]).

pub mod case;
pub mod decode;
pub mod diagnostic;
pub mod load;
pub mod overlay;
pub mod schema;
pub mod yaml;
