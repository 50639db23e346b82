//! The daemon as people run it: the real binary, two systems over HTTP, signals, crashes.

mod crash;
mod held;
mod live;
mod promise;
mod pushed;
mod settings;
mod site;
mod start;
mod stop;
