//! The same registry in every format, and files with every kind of fault.

mod import;

use super::*;
use crate::domain::asset::{Asset, Device, Position};
use crate::domain::event::RegistryChange;
use crate::domain::ids::{AreaId, AssetId, SensorTypeId};
use crate::domain::observation::{Finite, Value};
use crate::domain::person::Purpose;
use crate::domain::time::Timestamp;
use encoding_rs::{UTF_16LE, WINDOWS_1252};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

const SEMICOLON: &str = "\
Aktiv-ID;Type;Område;Breddegrad;Længdegrad;Fraktion;Volume l;Street no;Hot
Ø-1;bin;Åbyhøj;56,15674;10,21076;\"papir; pap\";2500;012;ja
b2;bin;;55,5;9,25;glas;1200,5;7A;nej

b3;bin;nord;;;;;;
";

fn number(number: f64) -> Value {
    Value::Number(Finite::new(number).unwrap())
}

fn text(text: &str) -> Value {
    Value::Text(text.into())
}

fn three_assets() -> Vec<RegistryChange> {
    let asset = |id: &str, area: Option<&str>, position: Option<(f64, f64)>, attributes: &[(&str, Value)]| {
        RegistryChange::PutAsset(Asset {
            id: id.into(),
            kind: "bin".into(),
            area: area.map(AreaId::new),
            position: position.map(|(latitude, longitude)| Position { latitude, longitude }),
            person: None,
            attributes: attributes.iter().map(|(name, value)| ((*name).into(), value.clone())).collect(),
        })
    };
    let first = [
        ("fraktion", text("papir; pap")),
        ("volume_l", number(2500.0)),
        ("street_no", text("012")),
        ("hot", Value::Boolean(true)),
    ];
    let second = [
        ("fraktion", text("glas")),
        ("volume_l", number(1200.5)),
        ("street_no", text("7A")),
        ("hot", Value::Boolean(false)),
    ];
    vec![
        asset("Ø-1", Some("Åbyhøj"), Some((56.15674, 10.21076)), &first),
        asset("b2", None, Some((55.5, 9.25)), &second),
        asset("b3", Some("nord"), None, &[]),
    ]
}

fn changes(name: &str, bytes: &[u8], kind: Kind) -> Vec<RegistryChange> {
    match read(name, bytes, kind) {
        Ok(import) => import.changes().cloned().collect(),
        Err(faults) => panic!("{}", shown(&faults)),
    }
}

fn faults(name: &str, bytes: &[u8], kind: Kind) -> String {
    shown(&read(name, bytes, kind).expect_err("the file has faults"))
}

fn shown(faults: &[RowFault]) -> String {
    faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

const RELATIONS: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
const PACKAGE: &str = "http://schemas.openxmlformats.org/package/2006/relationships";
const MAIN: &str = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";

/// An XLSX file of one sheet with inline strings, in an archive without compression.
fn today() -> Timestamp {
    Timestamp::from_micros(1_772_000_000_000_000)
}

fn xlsx(rows: &[&[&str]]) -> Vec<u8> {
    let rows: String = (1..).zip(rows).map(|(row, cells)| xlsx_row(row, cells)).collect();
    let sheet = format!("<worksheet xmlns=\"{MAIN}\"><sheetData>{rows}</sheetData></worksheet>");
    let workbook = format!(
        "<workbook xmlns=\"{MAIN}\" xmlns:r=\"{RELATIONS}\"><sheets><sheet name=\"Ark1\" sheetId=\"1\" r:id=\"rId1\"/></sheets></workbook>"
    );
    let relation = |id: u8, kind: &str, target: &str| {
        format!("<Relationship Id=\"rId{id}\" Type=\"{RELATIONS}/{kind}\" Target=\"{target}\"/>")
    };
    let relations = |list: &[String]| format!("<Relationships xmlns=\"{PACKAGE}\">{}</Relationships>", list.concat());
    let styles = format!(
        "<styleSheet xmlns=\"{MAIN}\"><cellXfs count=\"2\"><xf numFmtId=\"0\"/><xf numFmtId=\"14\"/></cellXfs></styleSheet>"
    );
    let inner = [relation(1, "worksheet", "worksheets/sheet1.xml"), relation(2, "styles", "styles.xml")];
    stored_archive(&[
        (
            "[Content_Types].xml",
            "<Types xmlns=\"http://schemas.openxmlformats.org/package/2006/content-types\"/>".into(),
        ),
        ("_rels/.rels", relations(&[relation(1, "officeDocument", "xl/workbook.xml")])),
        ("xl/workbook.xml", workbook),
        ("xl/_rels/workbook.xml.rels", relations(&inner)),
        ("xl/styles.xml", styles),
        ("xl/worksheets/sheet1.xml", sheet),
    ])
}

/// `=` marks a number, `?` a boolean, `@` a date, `!` an error; anything else is text.
fn xlsx_row(row: u32, cells: &[&str]) -> String {
    let cell = |(column, cell): (char, &&str)| {
        let place = format!("{column}{row}");
        let rest = cell.get(1..).unwrap_or_default();
        match cell.chars().next() {
            None => String::new(),
            Some('=') => format!("<c r=\"{place}\"><v>{rest}</v></c>"),
            Some('@') => format!("<c r=\"{place}\" s=\"1\"><v>{rest}</v></c>"),
            Some('?') => format!("<c r=\"{place}\" t=\"b\"><v>{rest}</v></c>"),
            Some('!') => format!("<c r=\"{place}\" t=\"e\"><v>#{rest}</v></c>"),
            Some(_) => format!("<c r=\"{place}\" t=\"inlineStr\"><is><t>{cell}</t></is></c>"),
        }
    };
    let cells: String = ('A'..='Z').zip(cells).map(cell).collect();
    format!("<row r=\"{row}\">{cells}</row>")
}

fn stored_archive(files: &[(&str, String)]) -> Vec<u8> {
    let (mut archive, mut directory) = (Vec::new(), Vec::new());
    for (name, content) in files {
        let (length, at) = (content.len() as u32, archive.len() as u32);
        let mut common = vec![20, 0, 0, 0, 0, 0, 0, 0, 0x21, 0];
        common.extend(crc32(content.as_bytes()).to_le_bytes());
        common.extend([length.to_le_bytes(), length.to_le_bytes()].concat());
        common.extend((name.len() as u16).to_le_bytes());
        common.extend([0, 0]);
        archive.extend([b"PK\x03\x04", common.as_slice(), name.as_bytes(), content.as_bytes()].concat());
        directory
            .extend([b"PK\x01\x02\x14\0", common.as_slice(), &[0; 10], &at.to_le_bytes(), name.as_bytes()].concat());
    }
    let (count, size, at) = (files.len() as u16, directory.len() as u32, archive.len() as u32);
    archive.extend(directory);
    archive.extend([b"PK\x05\x06\0\0\0\0".as_slice(), &count.to_le_bytes(), &count.to_le_bytes()].concat());
    archive.extend([&size.to_le_bytes(), &at.to_le_bytes(), [0; 2].as_slice()].concat());
    archive
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg()))
    })
}

#[test]
fn the_same_assets_come_from_every_encoding_and_separator() {
    let comma = "asset,kind,OMRÅDE,lat,lng,fraktion,volume_l,street_no,hot\n\
        Ø-1,bin,Åbyhøj,56.15674,10.21076,papir; pap,2500,012,true\n\
        b2,bin,,\"55,5\",9.25,glas,1200.5,7A,false\n\
        b3,bin,nord,,,,,,\n";
    let tab = comma.replace("\"55,5\"", "55.5").replace(',', "\t");
    let bom = format!("\u{feff}{SEMICOLON}");
    let utf_16: Vec<u8> = [0xff, 0xfe].into_iter().chain(SEMICOLON.encode_utf16().flat_map(u16::to_le_bytes)).collect();
    assert_eq!(UTF_16LE.decode(&utf_16).0, SEMICOLON);
    let windows = WINDOWS_1252.encode(SEMICOLON).0;
    assert!(std::str::from_utf8(&windows).is_err());
    let crlf = format!("sep=;\r\n{}", SEMICOLON.replace('\n', "\r\n"));
    let files: [(&str, &[u8]); 7] = [
        ("a.csv", SEMICOLON.as_bytes()),
        ("a.CSV", bom.as_bytes()),
        ("a.csv", &windows),
        ("a.txt", &utf_16),
        ("a.csv", comma.as_bytes()),
        ("a.tsv", tab.as_bytes()),
        ("a.csv", crlf.as_bytes()),
    ];
    for (index, (name, bytes)) in files.into_iter().enumerate() {
        assert_eq!(changes(name, bytes, Kind::Assets), three_assets(), "file {index}");
    }
}

#[test]
fn the_same_assets_come_from_every_format() {
    let json = r#"[
        {"id": "Ø-1", "kind": "bin", "area": "Åbyhøj", "latitude": 56.15674, "longitude": 10.21076,
         "attributes": {"fraktion": "papir; pap", "volume_l": 2500, "street_no": "012", "hot": true}},
        {"id": "b2", "kind": "bin", "area": null, "latitude": "55,5", "longitude": 9.25,
         "fraktion": "glas", "volume_l": 1200.5, "street_no": "7A", "hot": false},
        {"id": "b3", "kind": "bin", "area": "nord"}]"#;
    let flat = json.replace("\"attributes\": {", "").replace("true}}", "true}");
    assert_eq!(changes("a.json", flat.as_bytes(), Kind::Assets), three_assets());
    let geojson = r#"{"type": "FeatureCollection", "features": [
        {"type": "Feature", "id": "Ø-1", "geometry": {"type": "Point", "coordinates": [10.21076, 56.15674, 3.5]},
         "properties": {"kind": "bin", "area": "Åbyhøj", "fraktion": "papir; pap", "volume_l": 2500, "street_no": "012", "hot": true}},
        {"type": "Feature", "id": "b2", "geometry": {"type": "Point", "coordinates": [9.25, 55.5]},
         "properties": {"kind": "bin", "fraktion": "glas", "volume_l": 1200.5, "street_no": "7A", "hot": false}},
        {"type": "Feature", "id": "b3", "geometry": null, "properties": {"kind": "bin", "area": "nord"}}]}"#;
    assert_eq!(changes("a.geojson", geojson.as_bytes(), Kind::Assets), three_assets());
    assert_eq!(changes("a.json", geojson.as_bytes(), Kind::Assets), three_assets());
    let sheet = xlsx(&[
        &["", ""],
        &["id", "kind", "area", "latitude", "longitude", "fraktion", "volume_l", "street_no", "hot"],
        &["Ø-1", "bin", "Åbyhøj", "=56.15674", "=10.21076", "papir; pap", "=2500", "012", "?1"],
        &["b2", "bin", "", "55,5", "=9.25", "glas", "=1200.5", "7A", "?0"],
        &["b3", "bin", "nord"],
    ]);
    assert_eq!(changes("a.xlsx", &sheet, Kind::Assets), three_assets());
}

#[test]
fn places_in_utm_become_degrees() {
    let csv = "id;kind;X;Y\nb1;bin;687071,4391;6210141,3267\nb2;bin;691.875,63214;6.098.907,82501\n";
    let positions: Vec<Position> = changes("a.csv", csv.as_bytes(), Kind::Assets)
        .iter()
        .filter_map(|change| if let RegistryChange::PutAsset(asset) = change { asset.position } else { None })
        .collect();
    let at = |latitude, longitude| Position { latitude, longitude };
    assert_eq!(positions, [at(56.0, 12.0), at(55.0, 12.0)]);
    let geojson = r#"{"type": "FeatureCollection",
        "crs": {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::25832"}},
        "features": [{"type": "Feature", "properties": {"id": "b1", "kind": "bin"},
                      "geometry": {"type": "Point", "coordinates": [687071.4391, 6210141.3267]}}]}"#;
    let RegistryChange::PutAsset(asset) = &changes("a.geojson", geojson.as_bytes(), Kind::Assets)[0] else { panic!() };
    assert_eq!(asset.position, Some(at(56.0, 12.0)));
}

#[test]
fn all_faults_of_a_file_come_at_once() {
    let csv = "id;kind;lat;lon;x;y;person;note\n\
        b1;bin;95;10;;;;\n\
        b2;;56;;;;;\n\
        b 3;bin;;;;;;\n\
        b1;bin;;;;;;\n\
        b5;bin;10,2;56,1;;;;\n\
        b6;bin;56;10;600000;6200000;;\n\
        b7;bin;;;6200000;600000;;\n\
        b8;bin;;;12;13;;\n\
        b9;bin;north;10;;;;\n\
        ;bin;;;;;;\n\
        b11;bin;;;;;010190-1234;0101901234\n\
        b12;bin;56,1,10,2;;;;;\n\
        b13;bin;56;10;;;;;x\n";
    insta::assert_snapshot!(faults("bins.csv", csv.as_bytes(), Kind::Assets), @r#"
    bins.csv, row 2, column "lat": latitude is from -90 to 90 and longitude from -180 to 180 degrees
    bins.csv, row 3, column "kind": the value is missing
    bins.csv, row 3, column "lon": "latitude" is given, so this is needed
    bins.csv, row 4, column "id": an id has at most 64 characters, no blanks and none of / + # " '
    bins.csv, row 5, column "id": "b1" stands in row 2 already
    bins.csv, row 6, column "lat": latitude and longitude have changed places: Denmark is at latitude 54 to 58
    bins.csv, row 7, column "lat": the row gives both degrees and metres; give one of them
    bins.csv, row 8, column "x": easting and northing have changed places: in Denmark the northing is about 6,100,000
    bins.csv, row 9, column "x": outside UTM zone 32N: easting is 100,000 to 1,000,000 and northing 0 to 9,400,000 metres
    bins.csv, row 10, column "lat": not a number
    bins.csv, row 11, column "id": the value is missing
    bins.csv, row 12, column "person": what looks like a CPR number is never stored; if it is another number, write a letter before it
    bins.csv, row 12, column "note": what looks like a CPR number is never stored; if it is another number, write a letter before it
    bins.csv, row 13, column "lon": "latitude" is given, so this is needed
    bins.csv, row 13, column "lat": not a number
    bins.csv, row 14: 9 values for 8 columns; put quotes around values that hold the separator
    "#);
}

#[test]
fn columns_that_cannot_be_understood_are_faults() {
    let cases = [
        ("a.csv", "id;lat;breddegrad;2nd\nb1;1;1;1\n", Kind::Assets),
        ("a.csv", "id;kind;note;Note\nb1;bin;1;2\n", Kind::Assets),
        ("d.csv", "id;sensor_type;asset;colour\nd1;t;a;red\n", Kind::Devices),
        ("c.csv", "id;skills;phone\nc1;waste;1\n", Kind::Crews),
        ("p.csv", "id;address\np1;x\n", Kind::People),
        ("a.csv", "", Kind::Assets),
        ("a.csv", "id;kind\n", Kind::Assets),
        ("a.pdf", "%PDF", Kind::Assets),
        ("a.json", "{\"id\": 1}", Kind::Assets),
        ("a.json", "[1]", Kind::Assets),
        ("a.json", "[{\"id\": \"b\", \"id\": \"c\", \"kind\": \"bin\"}]", Kind::Assets),
        ("a.json", "[{\"id\": \"b\", \"kind\": {\"x\": 1}}]", Kind::Assets),
        ("p.geojson", "{}", Kind::People),
        ("a.xlsx", "PK", Kind::Assets),
    ];
    let lines: Vec<String> = cases.iter().map(|(name, text, kind)| faults(name, text.as_bytes(), *kind)).collect();
    insta::assert_snapshot!(lines.join("\n"), @r#"
    a.csv, row 1, column "breddegrad": means the same as column "lat"
    a.csv, row 1, column "2nd": a name begins with a letter and has only letters, digits and _
    a.csv, row 1, column "kind": the column is missing; it may be called kind, type, slags, art, aktivtype, asset_kind
    a.csv, row 1, column "Note": there are two columns "note"
    d.csv, row 1, column "colour": the column is not one of id, sensor_type, asset, d_empty_mm, d_full_mm
    c.csv, row 1, column "phone": the column is not one of id, skills, areas
    p.csv, row 1, column "address": the column is not one of id, name, phone, purpose, start, review
    a.csv: the file is empty
    a.csv: no rows
    a.pdf: the ending is not one of .csv, .tsv, .txt, .xlsx, .geojson, .json
    a.json: not a GeoJSON FeatureCollection at line 1 column 9
    a.json: not a JSON array of objects at line 1 column 2
    a.json, row 1, column "id": the row names it twice
    a.json, row 1, column "kind": an object has no meaning here
    a.json, row 1, column "kind": the value is missing
    p.geojson: GeoJSON tells places, and only assets have one; use CSV, XLSX or JSON
    a.xlsx: not an XLSX file, or cut short
    "#);
}

#[test]
fn cpr_numbers_are_refused_wherever_they_stand_and_never_quoted() {
    let sheet = xlsx(&[&["id", "kind", "note"], &["b1", "bin", "=101901234"]]);
    let files: [(&str, &[u8], Kind); 5] = [
        ("a.xlsx", &sheet, Kind::Assets),
        ("a.csv", b"id;kind;0101901234\nb1;bin;1\n", Kind::Assets),
        ("a.csv", b"id;kind\n0101901234;bin\n", Kind::Assets),
        ("p.csv", b"id;name\np1;Berg 010190 1234\n", Kind::People),
        ("a.json", b"[{\"id\": \"b1\", \"kind\": \"bin\", \"n\": 3112991234}]", Kind::Assets),
    ];
    for (name, bytes, kind) in files {
        let text = faults(name, bytes, kind);
        assert!(text.contains("what looks like a CPR number is never stored"), "{text}");
        assert!(!text.contains("1234\"") && !text.contains("Berg"), "{text}");
    }
}

#[test]
fn limits_are_told() {
    let limits = Limits { rows_max: 2, columns_max: 4, cell_chars_max: 5, faults_max: 3, ..Limits::default() };
    let within =
        |name: &str, text: &str| shown(&read_within(&limits, name, text.as_bytes(), Kind::Assets).unwrap_err());
    insta::assert_snapshot!(within("a.csv", "id;kind\nb1;bin\nb2;bin\nb3;bin\nb4;bin\n"), @"a.csv, row 4: more than 2 rows; split the file");
    insta::assert_snapshot!(within("a.csv", "id;kind;a;b;c\nb1;bin;1;2;3\n"), @"a.csv, row 1: 5 columns, at most 4 are read");
    insta::assert_snapshot!(within("a.json", r#"[{"id":"b1","kind":"bin","a":1,"b":2,"c":3}]"#), @r#"a.json, row 1, column "c": more than 4 columns"#);
    insta::assert_snapshot!(within("a.csv", "id;kind\n123456;x y z\n;\n ;x\n1234567;y y\n"), @r#"
    a.csv, row 2, column "id": more than 5 characters
    a.csv, row 2, column "kind": an id has at most 64 characters, no blanks and none of / + # " '
    a.csv, row 5: more than 2 rows; split the file
    a.csv: and 1 more faults
    "#);
    let small = Limits { bytes_max: 3, ..limits };
    insta::assert_snapshot!(shown(&read_within(&small, "a.csv", b"id;kind", Kind::Assets).unwrap_err()), @"a.csv: 7 bytes, at most 3 are read; split the file");
    let packed = Limits { unpacked_bytes_max: 100, ..Limits::default() };
    let text = shown(&read_within(&packed, "a.xlsx", &xlsx(&[&["id"]]), Kind::Assets).unwrap_err());
    assert!(text.contains("unpacks to"), "{text}");
}

#[test]
fn devices_and_crews_are_read() {
    let csv = "dev_eui;sensortype;beholder;D_empty-mm;d_full_mm;mounting.side\n24E124;em400;b1;1200;280;left\nmat;bed;b2;;;\n";
    let [RegistryChange::PutDevice(first), RegistryChange::PutDevice(second)] =
        &changes("d.csv", csv.as_bytes(), Kind::Devices)[..]
    else {
        panic!()
    };
    assert_eq!((first.id.as_str(), first.sensor_type.as_str(), first.asset.as_str()), ("24E124", "em400", "b1"));
    let mounting = [("d_empty_mm", number(1200.0)), ("d_full_mm", number(280.0)), ("side", text("left"))];
    assert_eq!(first.mounting, mounting.map(|(name, value)| (name.into(), value)).into());
    assert!(second.mounting.is_empty());
    let json = r#"[{"id": "24E124", "sensor_type": "em400", "asset": "b1", "mounting": {"d_empty_mm": 1200, "d_full_mm": 280, "side": "left"}}]"#;
    let error = read("d.json", json.as_bytes(), Kind::Devices);
    assert_eq!(error.unwrap().changes().next(), Some(&RegistryChange::PutDevice(first.clone())));
    let crews =
        changes("c.csv", b"hold;kompetencer;omr\xe5der\nwaste-1;waste, glass;nord|syd\ncare-1;care;\n", Kind::Crews);
    let json =
        br#"[{"id":"waste-1","skills":["waste","glass"],"areas":["nord","syd"]},{"id":"care-1","skills":"care"}]"#;
    assert_eq!(changes("c.json", json, Kind::Crews), crews);
    insta::assert_snapshot!(faults("c.csv", b"id;skills\nc1;\n", Kind::Crews), @r#"c.csv, row 2, column "skills": a crew without skills can be sent to nothing"#);
}

#[test]
fn people_come_apart_into_bases_and_personal_records() {
    let csv = "id;navn;telefon;formål;fra;revurderes\n\
        p1;Ida Berg;12345678;exposure|presence;05-01-2026;30-03-2026\n\
        p1;;;call;2026-02-01;2026-04-01\n\
        p2;Per;;;;\n";
    let import = read("p.csv", csv.as_bytes(), Kind::People).unwrap();
    let RegistryChange::PutPerson(person) = &import.rows[0].change else { panic!() };
    assert_eq!(import.rows.len(), 2);
    assert_eq!(person.bases.iter().map(|basis| basis.purpose).collect::<Vec<_>>(), Purpose::ALL);
    assert!(person.allows(Purpose::Call, Timestamp::from_micros(1_770_000_000_000_000)));
    assert!(!person.allows(Purpose::Call, Timestamp::from_micros(1_769_000_000_000_000)), "not before February");
    let first = &import.personal[0];
    assert_eq!(
        (first.person.as_str(), first.name.as_deref(), first.phone.as_deref()),
        ("p1", Some("Ida Berg"), Some("12345678"))
    );
    assert!(!format!("{import:?}").contains("Berg"), "names are not printed");
    let dates = xlsx(&[
        &["id", "purpose", "start", "review"],
        &["p1", "exposure|presence", "@46027", "@46111"],
        &["p1", "call", "@46054", "@46113"],
        &["p2"],
    ]);
    assert_eq!(changes("p.xlsx", &dates, Kind::People), import.changes().cloned().collect::<Vec<_>>());
    let wrong = "id;name;purpose;start;review\n\
        p1;A;sleep;2026-01-05;2026-03-30\n\
        p2;B;call;;2026-03-30\n\
        p3;C;call;2026-03-30;2026-01-05\n\
        p4;D;call;2026-01-05;soon\n\
        p5;E;call;2026-01-05;2026-03-30\n\
        p5;F;call;2026-01-05;2026-03-30\n";
    insta::assert_snapshot!(faults("p.csv", wrong.as_bytes(), Kind::People), @r#"
    p.csv, row 2, column "purpose": not one of exposure, presence, call
    p.csv, row 3, column "start": a basis needs the day it starts and the day it is reviewed
    p.csv, row 4, column "review": the review is not after the start
    p.csv, row 5, column "review": not a date such as 2026-03-01 or 01-03-2026
    p.csv, row 7, column "purpose": "p5" has a basis for call already
    p.csv, row 7, column "name": differs from an earlier row of the same person
    "#);
}

#[test]
fn rows_are_counted_as_an_editor_shows_them() {
    let row = |text: &str| {
        let faults = read("a.csv", text.as_bytes(), Kind::Assets).unwrap_err();
        assert_eq!(faults.len(), 1, "{}", shown(&faults));
        faults[0].row
    };
    assert_eq!(row("id;kind\nq1;bin\nq 2;bin\nq3;bin\n"), 3);
    assert_eq!(row("id;kind\r\nq1;bin\r\nq 2;bin\r\nq3;bin\r\n"), 3, "Windows");
    assert_eq!(row("id;kind\n\n\nq 2;bin\n"), 4, "blank lines");
    assert_eq!(row("\r\nid;kind\r\n\r\nq 2;bin"), 4, "blank lines, Windows");
    assert_eq!(row("sep=;\r\nid;kind\r\nq 2;bin\r\n"), 3, "the line that names the separator");
    assert_eq!(row("\u{feff}sep=;\nid;kind\n\nq 2;bin\n"), 4, "byte order mark");
    assert_eq!(row("id;kind;note\r\nq1;bin;\"two\r\nlines\"\r\nq 2;bin;\r\n"), 4, "a value of two lines");
    assert_eq!(row("id;kind\rq 2;bin\r"), 2, "old Macintosh");
    let twice = faults("a.csv", b"id;kind\r\nb5;bin\r\nb5;bin\r\n", Kind::Assets);
    assert!(twice.contains("row 3") && twice.contains("stands in row 2 already"), "{twice}");
    let sheet = xlsx(&[&["id", "kind"], &[], &["q 2", "bin"]]);
    assert_eq!(read("a.xlsx", &sheet, Kind::Assets).unwrap_err()[0].row, 3, "as the spreadsheet shows it");
}

#[test]
fn a_quote_that_is_never_closed_is_the_fault() {
    let text = b"id;kind;note\r\nq1;bin;\"a \"\"big\"\" one\"\r\nq2;bin;\"open\r\nq3;bin;\r\n";
    let told = faults("a.csv", text, Kind::Assets);
    assert_eq!(told, "a.csv, row 3: a value that begins here with a quote has no quote at its end");
    assert!(read("a.csv", b"id;kind;note\nq1;bin;3\" pipe\n", Kind::Assets).is_ok(), "an inch is no quote");
}

#[test]
fn metres_in_a_geojson_file_without_a_coordinate_system_are_recognised() {
    let text = br#"{"type":"FeatureCollection","features":[{"type":"Feature","id":"b1","properties":{"kind":"bin"},
        "geometry":{"type":"Point","coordinates":[574000.0,6223000.0]}}]}"#;
    assert!(faults("a.geojson", text, Kind::Assets).contains("EPSG:25832"));
}

#[test]
fn a_sheet_with_errors_names_the_rows() {
    let sheet = xlsx(&[&["id", "kind", "n"], &["b1", "bin", "!N/A"], &["b2", "bin", "=1"]]);
    insta::assert_snapshot!(faults("a.xlsx", &sheet, Kind::Assets), @"a.xlsx, row 2: a cell holds the error #N/A");
}
