//! Rows of crews.

use super::row::Line;
use crate::domain::crew::Crew;
use crate::domain::event::RegistryChange;
use crate::domain::ids::{AreaId, CrewId, Skill};

pub(super) fn read(id: &str, line: &mut Line<'_>) -> Option<RegistryChange> {
    let skills = line.ids("skills");
    let areas = line.ids("areas");
    if skills.is_empty() {
        line.note("skills", "a crew without skills can be sent to nothing");
        return None;
    }
    let skills = skills.into_iter().map(Skill::new).collect();
    let areas = areas.into_iter().map(AreaId::new).collect();
    Some(RegistryChange::PutCrew(Crew { id: CrewId::new(id), skills, areas }))
}
