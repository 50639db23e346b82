//! Which changes a verified request speaks of.

pub mod form;
