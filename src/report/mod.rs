//! Drift reports for people: what is shown of them and to whom, what the words mean, and files to take along.
//!
//! Nothing here decides anything: `core::drift` counts and `store::drift` keeps, this room shows. Exports run through the list
//! once, a page at a time, so that their memory does not grow with it.

pub mod item;
pub mod markup;
pub mod overview;
pub mod story;
pub mod words;

pub mod export;

pub use export::{Export, Format, export};
pub use item::{MASKED, View, mask};
pub use overview::Overview;
