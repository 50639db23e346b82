//! Databases as other systems have them: sessions, statements in and cells out, and what a refusal means. Beside the store the only
//! user of `sqlx`.
//!
//! What is asked of a table is put together in [`crate::core::connector::database`], and how that becomes the answer to a call in
//! `client/sql`.

mod address;
mod connection;
mod error;
mod heard;

pub(crate) use self::{
    address::{Address, Role},
    connection::{Cell, Connection, Described, Param},
    error::{Error, Sense, Told, masked},
    heard::Heard,
};
