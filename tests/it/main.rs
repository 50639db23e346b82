//! Integration tests: the house as a whole, and its rooms against real parts.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::needless_pass_by_value,
    reason = "a test that cannot go on has failed; `left(1)` reads better than `left(&1)`"
)]

mod support;

mod api;
mod cli;
mod client;
mod console;
mod daemon;
mod documentation;
mod durable;
mod interleaving;
mod law;
mod layering;
mod notice;
mod real;
mod recorded;
mod rehearsal;

mod report;
mod simulation;
mod since;
mod sql;
mod store;
mod sync;
mod tenant;
mod vendor;
mod webhook;
