//! The journal: what happened and what was decided, in order, durable, in a folder of SQLite files.
//!
//! `append` keeps an event with its decision inside an open transaction; `sync` makes the batch durable, and only
//! then may anything leave the house. Every record carries a checksum and a link of a hash chain; what was measured
//! of a person is sealed before it is hashed. Checkpoints, snapshots and pruning run on other threads (`Maintenance`,
//! `SnapshotWriter`) and never inside a commit.
//!
//! It reads no clock and draws no randomness: moments and the journal's id are given. It does not interpret records;
//! that is the engine's. Start with `writer`, then `record` and `wire` for the format, `open` for recovery.

mod chain;
mod error;
pub mod fault;
mod file;
mod image;
mod layout;
mod maintenance;
mod open;
mod options;
mod past;
mod reader;
mod record;
mod seal;
mod shared;
mod snapshot;
mod verify;
mod wire;
mod writer;

#[cfg(test)]
mod tests;

pub use chain::Chain;
pub use error::{JournalError, Part, RecordError};
pub use image::{IMAGE_VERSION, restore_engine, write_image};
pub use maintenance::{Checkpointed, Maintenance};
pub use open::Opened;
pub use options::{Durability, Options};
pub use past::Past;
pub use reader::{Entry, Reader, moment};
pub use seal::{SealError, Sealing};
pub use snapshot::{Section, Snapshot, SnapshotWriter};
pub use verify::{Progress, Verified, verify, verify_end};
pub use writer::Journal;
