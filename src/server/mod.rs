//! The HTTP side of Syncline: webhooks, the API and the pages, behind one listener.
//!
//! Types of axum and hyper stay in here.

pub mod listen;
