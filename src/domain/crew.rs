//! Crews: who can be sent.

use super::ids::{AreaId, CrewId, Skill};
use std::collections::BTreeSet;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crew {
    pub id: CrewId,
    pub skills: BTreeSet<Skill>,
    /// Where they work; empty means everywhere.
    pub areas: BTreeSet<AreaId>,
}

impl Crew {
    /// Whether this crew may be sent: by skill and area only, never by how anyone behaves.
    #[must_use]
    pub fn can_take(&self, skill: &Skill, area: Option<&AreaId>) -> bool {
        self.skills.contains(skill) && (self.areas.is_empty() || area.is_some_and(|area| self.areas.contains(area)))
    }
}
