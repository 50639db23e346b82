//! Syncline keeps pairs of business systems in agreement.
//!
//! The `mod` lines below are in reading order and are the map of the house: the pure [`core`] first, then the rooms
//! that bring data to it and carry its plans out. `docs/architecture.md` tells the rest.

pub mod core;

pub mod clock;

pub mod seam;

pub mod settings;

pub mod telemetry;

pub mod metrics;

pub mod catalog;

pub mod draft;

pub mod store;

pub mod report;

pub mod server;

pub mod cli;

mod database;

pub mod client;

pub mod rehearsal;

pub mod sync;

pub mod worker;

pub mod sandbox;
