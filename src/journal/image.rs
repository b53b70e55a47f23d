//! The engine's state in a snapshot: what is about a person goes into a section of its own, sealed with their key.
//!
//! When that key has been erased the section is gone, and with it what was known of that person's assets; the
//! assets themselves, their devices and alarms stand in the open part. Start with [`write_image`].

use super::error::RecordError;
use super::snapshot::Section;
use super::wire::image::{AssetState, State};
use crate::domain::ids::PersonId;
use crate::engine::{AssetImage, Image};
use std::collections::BTreeMap;

/// The version of the format that [`write_image`] writes.
pub const IMAGE_VERSION: u32 = 1;

/// The sections of a snapshot: the open part first, then one for each person.
///
/// # Errors
/// When a value does not fit the format.
pub fn write_image(image: &Image) -> Result<Vec<Section>, RecordError> {
    let mut personal: BTreeMap<&PersonId, Vec<AssetState<'_>>> = BTreeMap::new();
    for asset in &image.assets {
        if let Some(person) = asset.person() {
            personal.entry(person).or_default().push(AssetState::whole(asset));
        }
    }
    let mut sections = vec![Section { person: None, bytes: encode(&State::from(image))? }];
    for (person, assets) in personal {
        sections.push(Section { person: Some(person.clone()), bytes: encode(&assets)? });
    }
    Ok(sections)
}

/// The image that [`write_image`] wrote.
///
/// # Errors
/// When the sections have another version or are not in the format.
pub fn read_image(version: u32, sections: &[Section]) -> Result<Image, RecordError> {
    if version != IMAGE_VERSION {
        let found = u16::try_from(version).unwrap_or(u16::MAX);
        return Err(RecordError::UnknownVersion { version: found, known: IMAGE_VERSION as u16 });
    }
    let Some((open, personal)) = sections.split_first() else {
        return Err(RecordError::Malformed(minicbor::decode::Error::message("the snapshot has no sections")));
    };
    let mut image = Image::from(minicbor::decode::<State<'_>>(&open.bytes)?);
    let mut known: BTreeMap<_, AssetImage> = BTreeMap::new();
    for section in personal {
        for asset in minicbor::decode::<Vec<AssetState<'_>>>(&section.bytes)? {
            let asset = AssetImage::from(asset);
            known.insert(asset.asset.id.clone(), asset);
        }
    }
    for asset in &mut image.assets {
        if let Some(whole) = known.remove(&asset.asset.id) {
            *asset = whole;
        }
    }
    Ok(image)
}

fn encode(value: &impl minicbor::Encode<()>) -> Result<Vec<u8>, RecordError> {
    minicbor::to_vec(value).map_err(|error| RecordError::Unencodable(error.to_string()))
}
