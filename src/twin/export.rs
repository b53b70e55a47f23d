//! The municipality as registry files, to look at and to import.
//!
//! Written by the registry's own export, so that what people read here is what they would write themselves.

use super::municipality::Municipality;
use crate::registry::{Kind, Registry, export};

/// The files and their kinds, in the order in which they are imported.
const FILES: [(&str, Kind); 4] = [
    ("crews.csv", Kind::Crews),
    ("people.csv", Kind::People),
    ("assets.csv", Kind::Assets),
    ("devices.csv", Kind::Devices),
];

impl Municipality {
    /// Name and content of each registry file, in the order in which they are imported.
    #[must_use]
    pub fn registry_files(&self) -> [(&'static str, String); 4] {
        let mut registry = Registry::default();
        self.changes().iter().for_each(|change| registry.apply(change));
        FILES.map(|(name, kind)| (name, export(&registry, kind)))
    }
}
