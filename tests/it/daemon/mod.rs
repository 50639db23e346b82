//! The daemon as people run it: the real binary, two systems over HTTP, signals, crashes.

mod crash;
mod held;
mod live;
mod pushed;
mod promise;
mod settings;
mod site;
mod start;
mod stop;
