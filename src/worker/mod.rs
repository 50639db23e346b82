//! The work that goes on by itself: changes from the dirty set, and what the schedule asks for.

pub mod assembly;
pub mod change;
pub mod schedule;
