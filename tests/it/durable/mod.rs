//! What is acknowledged stays: processes are killed, lose power and run on disks that fail, and a checker compares what
//! they acknowledged with what is there.

mod abort;
mod backup;
mod daemon;
mod disk;
mod failing_disk;
mod inbox;
mod migration;
mod nodes;
mod power;
mod unknown;
