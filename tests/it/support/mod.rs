//! What tests share.

pub mod app;
pub mod database;
pub mod http;
