//! How the journal has values about a person sealed and opened, without knowing any key.
//!
//! `app` fills this from the vault; the simulator passes a seeded sealer.

use crate::domain::ids::PersonId;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

pub type Seal = dyn Fn(&PersonId, &[u8]) -> Result<Vec<u8>, SealError> + Send + Sync;
pub type Open = dyn Fn(&PersonId, &[u8]) -> Result<Option<Vec<u8>>, SealError> + Send + Sync;

/// Two functions that hold the keys. They are called from the sequencer, the projector and the snapshot thread.
#[derive(Clone)]
pub struct Sealing {
    /// Seals bytes with the person's key. The key must be durable before this returns.
    pub seal: Arc<Seal>,
    /// Opens sealed bytes; `None` when the person's key has been erased.
    pub open: Arc<Open>,
}

/// Sealing or opening failed for a reason that only the holder of the keys knows.
#[derive(Debug, thiserror::Error)]
#[error("the holder of the keys cannot seal or open")]
pub struct SealError(#[source] Box<dyn Error + Send + Sync>);

impl SealError {
    pub fn new(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(source.into())
    }
}

impl fmt::Debug for Sealing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealing")
    }
}
