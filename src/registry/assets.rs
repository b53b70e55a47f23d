//! Rows of assets.

use super::place;
use super::row::Line;
use crate::domain::asset::Asset;
use crate::domain::event::RegistryChange;
use crate::domain::ids::{AreaId, AssetId, AssetKind, PersonId};

pub(super) fn read(id: &str, line: &mut Line<'_>) -> Option<RegistryChange> {
    let kind = line.id("kind");
    let area = line.optional_id("area").map(AreaId::new);
    let person = line.optional_id("person").map(PersonId::new);
    let position = place::read(line);
    let attributes = line.free().into_iter().collect();
    let (id, kind) = (AssetId::new(id), AssetKind::new(kind?));
    Some(RegistryChange::PutAsset(Asset { id, kind, area, position, person, attributes }))
}
