//! The two ways a damaged or changed record is found: a checksum of its bytes, and a chain over everything before.
//!
//! The checksum is fast and finds what a disk does; the chain also finds what a hand does, as long as one later
//! link is kept somewhere else.

use crate::domain::ids::{JournalId, Seq};
use crate::domain::time::Timestamp;

/// The hash over a record and all records before it.
pub type Chain = [u8; 32];

/// The link before the first record of a journal.
pub(super) fn genesis(id: JournalId) -> Chain {
    blake3::Hasher::new().update(b"rettidig journal").update(&id.0).finalize().into()
}

/// blake3 of the previous link ‖ seq ‖ at ‖ record, both numbers as eight bytes, big-endian.
pub(super) fn link(previous: &Chain, seq: Seq, at: Timestamp, record: &[u8]) -> Chain {
    blake3::Hasher::new()
        .update(previous)
        .update(&seq.0.to_be_bytes())
        .update(&at.as_micros().to_be_bytes())
        .update(record)
        .finalize()
        .into()
}

/// CRC-32C of the record's bytes.
pub(super) fn checksum(record: &[u8]) -> u32 {
    crc32c::crc32c(record)
}
