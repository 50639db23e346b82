//! Connectors: typed definitions of kinds of systems, and their calls described as data.

pub mod form;
