//! What decoding may know of the registry: a read-only copy, replaced whole when the registry changes.

use crate::decode::{Directory, Limits, SensorTypeSpec};
use crate::domain::ids::SensorTypeId;
use crate::engine::Engine;
use arc_swap::ArcSwap;
use std::collections::BTreeMap;
use std::sync::Arc;

#[derive(Clone)]
pub struct SharedDirectory(Arc<Inner>);

struct Inner {
    current: ArcSwap<Directory>,
    types: ArcSwap<BTreeMap<SensorTypeId, Arc<SensorTypeSpec>>>,
    limits: Limits,
}

impl SharedDirectory {
    #[must_use]
    pub fn new(limits: Limits, types: BTreeMap<SensorTypeId, Arc<SensorTypeSpec>>) -> Self {
        let empty = Directory::new(limits, &types, std::iter::empty(), std::iter::empty());
        Self(Arc::new(Inner { current: ArcSwap::from_pointee(empty), types: ArcSwap::from_pointee(types), limits }))
    }

    pub fn refresh(&self, engine: &Engine) {
        let inventory = engine.inventory();
        let types = self.0.types.load();
        let crews = inventory.crews().map(|crew| &crew.id);
        self.0.current.store(Arc::new(Directory::new(self.0.limits, &types, inventory.each_device(), crews)));
    }

    /// How messages of each sensor type are read.
    #[must_use]
    pub fn types(&self) -> Arc<BTreeMap<SensorTypeId, Arc<SensorTypeSpec>>> {
        self.0.types.load_full()
    }

    /// Takes on other sensor types, from the next refresh on; gives back those before.
    pub fn use_types(
        &self,
        types: Arc<BTreeMap<SensorTypeId, Arc<SensorTypeSpec>>>,
    ) -> Arc<BTreeMap<SensorTypeId, Arc<SensorTypeSpec>>> {
        self.0.types.swap(types)
    }

    #[must_use]
    pub fn current(&self) -> Arc<Directory> {
        self.0.current.load_full()
    }
}
