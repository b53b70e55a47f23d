//! From a file to what is registered: the diff, references, templates and the way back.

use super::*;

fn registry() -> Registry {
    let mut registry = Registry::default();
    for change in three_assets() {
        registry.apply(&change);
    }
    registry
}

#[test]
fn importing_twice_changes_nothing() {
    let import = read("a.csv", SEMICOLON.as_bytes(), Kind::Assets).unwrap();
    let first = diff(&Registry::default(), &import);
    assert_eq!((first.added.len(), first.changed.len(), first.unchanged), (3, 0, 0));
    let mut registry = Registry::default();
    first.changes().for_each(|change| registry.apply(change));
    let second = diff(&registry, &import);
    assert!(second.is_empty());
    assert_eq!(second.unchanged, 3);
}

#[test]
fn a_diff_shows_fields_before_and_after() {
    let csv = SEMICOLON.replace("1200,5", "1300").replace("glas", "").replace("b3", "b4");
    let import = read("a.csv", csv.as_bytes(), Kind::Assets).unwrap();
    let found = diff(&registry(), &import);
    insta::assert_snapshot!(found.to_text(), @r#"
    a.csv: 1 to add, 1 to change, 1 unchanged, 1 registered but not in the file
    note: taken as attributes of the assets: fraktion, volume_l, street_no, hot
    + b4  area nord, kind bin
    ~ b2
        fraktion: "glas" → (none)
        volume_l: 1200.5 → 1300
    "#);
    insta::assert_snapshot!(found.to_json(), @r#"{"absent":["b3"],"added":["b4"],"changed":[{"fields":[{"after":null,"before":"\"glas\"","field":"fraktion"},{"after":"1300","before":"1200.5","field":"volume_l"}],"id":"b2"}],"file":"a.csv","kind":"assets","notes":["taken as attributes of the assets: fraktion, volume_l, street_no, hot"],"unchanged":1,"version":1}"#);
    assert_eq!(found.absent, [RegistryChange::RemoveAsset(AssetId::new("b3"))]);
}

#[test]
fn references_are_checked_against_what_is_registered() {
    let mut registry = registry();
    let watched =
        Device { id: "d0".into(), sensor_type: "em400".into(), asset: "b2".into(), mounting: BTreeMap::new() };
    registry.apply(&RegistryChange::PutDevice(watched));
    let needs = |kind: &str, mounting: &[&str]| SensorTypeNeeds {
        asset_kind: kind.into(),
        mounting: mounting.iter().map(|name| (*name).into()).collect(),
    };
    let sensor_types = BTreeMap::from([
        (SensorTypeId::new("em400"), needs("bin", &["d_empty_mm", "d_full_mm"])),
        (SensorTypeId::new("mat"), needs("bed", &[])),
    ]);
    let now = Timestamp::from_micros(1_772_000_000_000_000);
    let routes = BTreeSet::from(["nord-mandag".into(), "syd-torsdag".into()]);
    let known = Known { registry: &registry, sensor_types: &sensor_types, routes: &routes, now };
    let check = |name: &str, text: &str, kind| shown(&cross_check(&read(name, text.as_bytes(), kind).unwrap(), &known));
    let devices = "id;sensor_type;asset;d_empty_mm;d_full_mm\n\
        d1;em400;b2;1200;280\n\
        d2;em4000;b2;;\n\
        d3;em400;b9;1200;\n\
        d4;mat;b2;;\n\
        d5;em400;b2;280;1200\n";
    insta::assert_snapshot!(check("d.csv", devices, Kind::Devices), @r#"
    d.csv, row 3, column "sensor_type": sensor type "em4000" is not known; did you mean "em400"?
    d.csv, row 4, column "asset": asset "b9" is not registered; import assets first
    d.csv, row 4, column "d_full_mm": sensor type "em400" needs this number
    d.csv, row 5, column "asset": asset "b2" is a bin, and "mat" is for a bed
    d.csv, row 6, column "d_full_mm": the distance when full is not smaller than when empty
    "#);
    insta::assert_snapshot!(check("a.csv", "id;kind;person\nb2;bed;p9\nb3;bed;\n", Kind::Assets), @r#"
    a.csv, row 2, column "person": person "p9" is not registered; import people first
    a.csv, row 2, column "kind": device "d0" watches it as another kind; remove the device first
    "#);
    let assets = "id;kind;route\nb4;bin;nord-mandag\nb5;bin;nord-mandah\nb6;bin;\n";
    insta::assert_snapshot!(check("a.csv", assets, Kind::Assets), @r#"a.csv, row 3, column "route": no calendar knows the route "nord-mandah"; did you mean "nord-mandag"?"#);
    let nowhere = BTreeSet::new();
    let free = Known { routes: &nowhere, ..known };
    assert!(cross_check(&read("a.csv", assets.as_bytes(), Kind::Assets).unwrap(), &free).is_empty());
    let people = "id;purpose;start;review\np1;call;2026-01-01;2026-04-01\np2;call;2026-01-01;2027-01-01\n";
    insta::assert_snapshot!(check("p.csv", people, Kind::People), @r#"p.csv, row 3, column "review": a basis is reviewed within three months"#);
}

#[test]
fn templates_import_cleanly() {
    for kind in Kind::ALL {
        let import = read("template.csv", template(kind, today()).as_bytes(), kind)
            .unwrap_or_else(|faults| panic!("{}", shown(&faults)));
        assert!(import.rows.len() >= 2, "{}", kind.as_str());
    }
}

#[test]
fn what_is_exported_imports_without_a_change() {
    let mut registry = registry();
    for kind in Kind::ALL {
        let import = read("template.csv", template(kind, today()).as_bytes(), kind).unwrap();
        import.changes().for_each(|change| registry.apply(change));
    }
    for kind in Kind::ALL {
        let exported = export(&registry, kind);
        let import =
            read("export.csv", exported.as_bytes(), kind).unwrap_or_else(|faults| panic!("{}", shown(&faults)));
        let found = diff(&registry, &import);
        assert!(found.is_empty() && found.absent.is_empty(), "{}\n{exported}", found.to_text());
        assert!(import.personal.is_empty());
    }
    insta::assert_snapshot!(export(&registry, Kind::Assets), @r#"
    id;kind;area;latitude;longitude;person;attributes.fraction;attributes.fraktion;attributes.hot;attributes.street_no;attributes.volume_l
    b2;bin;;55,5;9,25;;;glas;false;7A;1200,5
    b3;bin;nord;;;;;;;;
    bed-001;bed;plejehjem-nord;;;person-001;;;;;
    bin-001;bin;centrum;56,15674;10,21076;;papir;;;;2500
    bin-002;bin;centrum;56,15702;10,21133;;rest;;;;240
    Ø-1;bin;Åbyhøj;56,15674;10,21076;;;"papir; pap";true;012;2500
    "#);
}

proptest! {
    #[test]
    fn any_attribute_survives_export_and_import(
        texts in prop::collection::vec("[ -~æøå\n]{1,20}", 1..4),
        amount in any::<f64>().prop_filter("finite", |number| number.is_finite())
            .prop_filter("no CPR number", |number| !crate::domain::cpr::holds_cpr_number(&number.to_string())),
    ) {
        let mut registry = registry();
        let mut attributes: BTreeMap<_, _> = texts
            .iter()
            .map(|text| text.trim())
            .filter(|text| !text.is_empty() && !crate::domain::cpr::holds_cpr_number(text))
            .enumerate()
            .map(|(index, text)| (smol_str::format_smolstr!("a{index}"), Value::Text(text.into())))
            .collect();
        attributes.insert("amount".into(), number(amount));
        registry.assets.get_mut("b2").unwrap().attributes = attributes;
        let exported = export(&registry, Kind::Assets);
        let import = read("a.csv", exported.as_bytes(), Kind::Assets);
        let import = import.map_err(|faults| TestCaseError::fail(shown(&faults)))?;
        let found = diff(&registry, &import);
        prop_assert!(found.is_empty(), "{}\n{exported}", found.to_text());
    }

    #[test]
    fn no_bytes_can_panic_read(
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        ending in prop::sample::select(vec!["csv", "xlsx", "json", "geojson", "txt"]),
        kind in prop::sample::select(Kind::ALL.to_vec()),
    ) {
        read(&format!("x.{ending}"), &bytes, kind).ok();
    }

    #[test]
    fn no_damage_to_a_good_file_can_panic_read(
        at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<prop::sample::Index>(), cuts in any::<bool>(),
    ) {
        let good = xlsx(&[&["id", "kind"], &["b1", "bin"]]);
        for (name, mut bytes) in [("x.xlsx", good), ("x.csv", SEMICOLON.as_bytes().to_vec())] {
            let place = at.index(bytes.len());
            bytes[place] = byte;
            if cuts {
                bytes.truncate(cut.index(bytes.len()));
            }
            read(name, &bytes, Kind::Assets).ok();
        }
    }

    #[test]
    fn no_text_can_panic_read(text in "[a-z0-9;,\t\n\"'. æø-]{0,200}", kind in prop::sample::select(Kind::ALL.to_vec())) {
        read("x.csv", text.as_bytes(), kind).ok();
        read("x.csv", format!("id;kind;lat;lon;x;y\n{text}").as_bytes(), kind).ok();
        read("x.csv", format!("id;name;purpose;start;review\n{text}").as_bytes(), kind).ok();
    }
}
