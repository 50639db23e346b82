//! The daemon as people run it: the real binary, two systems over HTTP, signals, crashes.

mod bulkhead;
mod canary;
mod crash;
pub mod held;
mod live;
mod promise;
mod pushed;
mod record;
mod run_time;
mod settings;
pub mod site;
mod start;
mod stop;
