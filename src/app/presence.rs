//! Which crews listen on our endpoint at present.

use crate::domain::ids::{ClientId, CrewId};
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

/// Cheap to clone; bounded by the endpoint's sessions.
#[derive(Clone, Debug, Default)]
pub struct Presence(Arc<RwLock<BTreeMap<ClientId, CrewId>>>);

impl Presence {
    pub fn arrived(&self, client: &ClientId, crew: &CrewId) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(client.clone(), crew.clone());
    }

    pub fn left(&self, client: &ClientId) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).remove(client);
    }

    /// The crew this client listens for.
    #[must_use]
    pub fn crew(&self, client: &ClientId) -> Option<CrewId> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(client).cloned()
    }

    /// The clients that listen for this crew: its phones.
    #[must_use]
    pub fn clients(&self, crew: &CrewId) -> Vec<ClientId> {
        let present = self.0.read().unwrap_or_else(PoisonError::into_inner);
        present.iter().filter(|(_, theirs)| *theirs == crew).map(|(client, _)| client.clone()).collect()
    }

    #[must_use]
    pub fn listens(&self, crew: &CrewId) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).values().any(|present| present == crew)
    }
}
