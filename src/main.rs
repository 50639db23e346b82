//! The command line of Syncline: parse arguments, run, map the result to an exit code.

fn main() {}
