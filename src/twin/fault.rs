//! What can stop the twin.

use crate::domain::ids::ClientId;
use std::io;
use std::path::PathBuf;

/// Why a demo or a playback ended before its end.
#[derive(Debug, thiserror::Error)]
pub enum TwinError {
    #[error("no secret for the login \"{0}\"")]
    NoSecret(ClientId),
    #[error("the gateway closed the connection of \"{line}\": {why}")]
    Lost { line: ClientId, why: String },
    #[error("the gateway left \"{line}\" without acknowledgement for {seconds} s")]
    NotAcknowledged { line: ClientId, seconds: u64 },
    #[error("\"{line}\" could not hand over a message: {why}")]
    NotSent { line: ClientId, why: String },
    #[error("{0}")]
    NotUnderstood(String),
    #[error("read \"{}\"", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("no file with a usable row in \"{}\"", .0.display())]
    NothingToPlay(PathBuf),
    #[error("write the screen")]
    Screen(#[from] io::Error),
}

impl TwinError {
    /// Whether the same run may go well another time: the gateway may have been busy or restarting.
    #[must_use]
    pub const fn retryable(&self) -> bool {
        match self {
            Self::Lost { .. } | Self::NotAcknowledged { .. } | Self::NotSent { .. } => true,
            Self::NoSecret(_)
            | Self::NotUnderstood(_)
            | Self::Unreadable { .. }
            | Self::NothingToPlay(_)
            | Self::Screen(_) => false,
        }
    }
}
