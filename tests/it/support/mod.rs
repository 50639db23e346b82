//! What tests share.

pub mod app;
pub mod chromium;
pub mod database;
pub mod disk;
pub mod hooks;
pub mod house;
pub mod http;
pub mod loopback;
pub mod node;
pub mod place;
pub mod proxy;
pub mod rig;
pub mod sender;
pub mod smtp;
pub mod system;
pub mod visitor;
