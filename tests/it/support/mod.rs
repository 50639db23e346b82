//! What tests share.

pub mod app;
pub mod database;
pub mod disk;
pub mod http;
pub mod loopback;
pub mod rig;
pub mod system;
