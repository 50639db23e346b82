//! The pure core: values, expressions, definitions, planning and comparing.
//!
//! Nothing here does I/O, reads a clock, draws random numbers or awaits: a function's result depends on its arguments
//! alone, and no input makes it panic.

pub mod breaker;
pub mod connector;
pub mod diff;
pub mod drift;
pub mod expr;
pub mod fault;
pub mod mapping;
pub mod matching;
pub mod newcomer;
pub mod notice;
pub mod pace;
pub mod path;
pub mod period;
pub mod plan;
pub mod preview;
pub mod problem;
pub mod quota;
pub mod record;
pub mod retry;
pub mod schedule;
pub mod settled;
pub mod shape;
pub mod spread;
pub mod status;
pub mod tenant;
pub mod value;
pub mod version;
pub mod webhook;
