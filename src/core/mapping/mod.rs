//! Mappings: which object is which, and how fields convert, there and back.

pub mod form;
