//! Names and coordinates of a municipality that does not exist: Fjordby Kommune.
//!
//! Only words and numbers stand here; `municipality` draws from them.

/// A district: its area id, its name, its middle in WGS 84 degrees, and its streets.
pub(crate) struct District {
    pub area: &'static str,
    pub latitude: f64,
    pub longitude: f64,
    pub streets: [&'static str; 6],
}

/// A nursing home: its area id and name.
pub(crate) struct Home {
    pub area: &'static str,
    pub name: &'static str,
}

/// A crew: id, skill and areas; no areas means everywhere.
pub(crate) struct CrewPlace {
    pub id: &'static str,
    pub skill: &'static str,
    pub areas: &'static [&'static str],
}

/// One of the ten Danish fractions (DOMAIN §1.8), its European waste code and how many of a hundred bins hold it.
pub(crate) struct Fraction {
    pub name: &'static str,
    pub code: &'static str,
    pub share: usize,
}

pub(crate) const MUNICIPALITY: &str = "Fjordby Kommune";

pub(crate) const DISTRICTS: [District; 4] = [
    District {
        area: "nordby",
        latitude: 55.895,
        longitude: 9.868,
        streets: ["Nørregade", "Skovvej", "Bakkegårdsvej", "Lærkevej", "Møllevej", "Kildebakken"],
    },
    District {
        area: "midtby",
        latitude: 55.871,
        longitude: 9.872,
        streets: ["Torvet", "Algade", "Kirkestræde", "Rådhuspladsen", "Stationsvej", "Skolegade"],
    },
    District {
        area: "sønderby",
        latitude: 55.848,
        longitude: 9.866,
        streets: ["Søndergade", "Engvej", "Plantagevej", "Rugvænget", "Idrætsvej", "Åkanden"],
    },
    District {
        area: "havnen",
        latitude: 55.864,
        longitude: 9.899,
        streets: ["Havnegade", "Strandvejen", "Kajen", "Værftsvej", "Fiskergade", "Promenaden"],
    },
];

pub(crate) const HOMES: [Home; 4] = [
    Home { area: "fjordhus", name: "Plejecenter Fjordhus" },
    Home { area: "skovbo", name: "Plejecenter Skovbo" },
    Home { area: "engparken", name: "Plejecenter Engparken" },
    Home { area: "kildehjem", name: "Plejecenter Kildehjem" },
];

/// Two crews for each work in daily demand, so that a refusal finds another; one for technical work, so that
/// waiting for somebody is seen too.
pub(crate) const CREWS: [CrewPlace; 6] = [
    CrewPlace { id: "affald-1", skill: "waste", areas: &["nordby", "midtby"] },
    CrewPlace { id: "affald-2", skill: "waste", areas: &["sønderby", "havnen"] },
    CrewPlace { id: "affald-3", skill: "waste", areas: &[] },
    CrewPlace { id: "pleje-1", skill: "care", areas: &["fjordhus", "skovbo"] },
    CrewPlace { id: "pleje-2", skill: "care", areas: &[] },
    CrewPlace { id: "teknik-1", skill: "technical", areas: &[] },
];

pub(crate) const FRACTIONS: [Fraction; 10] = [
    Fraction { name: "restaffald", code: "20 03 01", share: 30 },
    Fraction { name: "madaffald", code: "20 01 08", share: 14 },
    Fraction { name: "papir", code: "20 01 01", share: 12 },
    Fraction { name: "pap", code: "20 01 01", share: 10 },
    Fraction { name: "plast", code: "20 01 39", share: 10 },
    Fraction { name: "glas", code: "20 01 02", share: 10 },
    Fraction { name: "metal", code: "20 01 40", share: 6 },
    Fraction { name: "mad- og drikkekartoner", code: "15 01 05", share: 4 },
    Fraction { name: "tekstil", code: "20 01 11", share: 3 },
    Fraction { name: "farligt affald", code: "20 01 27", share: 1 },
];

/// The LoRaWAN gateway on a roof or mast of each district, in the order of `DISTRICTS`.
pub(crate) const LORA_GATEWAYS: [&str; 4] =
    ["7276ff002e0601a1", "7276ff002e0601b2", "7276ff002e0601c3", "7276ff002e0601d4"];
/// The gateway on the water tower hears everything: it is the second one of every doubled uplink.
pub(crate) const WATER_TOWER: &str = "7276ff002e0601e5";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fractions_share_a_hundred_bins() {
        assert_eq!(FRACTIONS.iter().map(|fraction| fraction.share).sum::<usize>(), 100);
    }

    #[test]
    fn every_crew_works_in_areas_that_exist() {
        let areas: Vec<_> =
            DISTRICTS.iter().map(|district| district.area).chain(HOMES.iter().map(|home| home.area)).collect();
        assert!(CREWS.iter().flat_map(|crew| crew.areas).all(|area| areas.contains(area)));
    }
}
