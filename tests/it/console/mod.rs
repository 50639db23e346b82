//! The console over a real socket: who gets in, what pages show, and that whatever comes from outside stays text.

mod access;
mod action;
mod browser;
mod hostile;
mod live;
mod openid;
mod operation;
pub mod page;
mod plan;
mod role;
pub mod scene;
