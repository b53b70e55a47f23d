//! Where the configuration is read from: the folder, and what the command line lays over it.
//!
//! It is read at the start and again at each `rettidig reload`, the same way both times.

use crate::config::{self, ConfigError, Loaded};
use std::path::PathBuf;

#[derive(Clone, Debug)]
pub struct Source {
    pub folder: PathBuf,
    /// In place of `folder` in `[data]`.
    pub data: Option<PathBuf>,
}

impl Source {
    /// Reads and checks the settings; what rules and sensor types mean is `assemble`'s.
    ///
    /// # Errors
    /// When the folder cannot be read, or there are faults in its settings.
    pub fn load(&self) -> Result<Loaded, ConfigError> {
        let mut loaded = config::load(&self.folder, std::env::vars())?;
        if let Some(data) = &self.data {
            loaded.settings.data.folder.clone_from(data);
        }
        Ok(loaded)
    }
}
