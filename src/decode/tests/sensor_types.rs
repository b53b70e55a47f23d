//! Sensor types are files: those that are shipped, and those with faults.

use super::*;

#[test]
fn shipped_sensor_types_load_and_are_complete() {
    let types = load_sensor_types(&files::shipped()).unwrap();
    let lines: Vec<String> = types
        .values()
        .map(|spec| {
            let kind = &spec.sensor_type;
            let properties: Vec<&str> = kind.properties.keys().map(PropertyName::as_str).collect();
            let mounting = spec.mounting_required();
            format!("{} ({}, {}): {} {mounting:?}", kind.id, kind.asset_kind, kind.interval, properties.join(" "))
        })
        .collect();
    insta::assert_snapshot!(lines.join("\n"), @r#"
    bin-fill-percent (bin, 2h): fill []
    bin-level (bin, 6h): battery fill temperature tilt []
    help-button (bed, 1h): press []
    milesight-em400-udl (bin, 6h): battery fill temperature tilt ["d_empty_mm", "d_full_mm"]
    pressure-bed (bed, 1m): occupied pressure_sacrum []
    rettidig-gateway (gateway, 31d): poisoned_messages []
    "#);
}

#[test]
fn a_type_says_how_late_its_values_may_be() {
    let lateness = |line: &str| {
        let text = format!(
            "id = 'logger'\nname = 'x'\nvendor = 'x'\nasset_kind = 'room'\ninterval = '6h'\n{line}\n\
             [properties.moved]\nkind = 'boolean'\n"
        );
        let files = BTreeMap::from([(SmolStr::new("sensor-types/logger.toml"), text)]);
        load_sensor_types(&files).map(|types| types.values().map(|spec| spec.sensor_type.lateness).collect::<Vec<_>>())
    };
    assert_eq!(lateness(""), Ok(vec![Span::ZERO]));
    assert_eq!(lateness("lateness = '90m'"), Ok(vec![Span::from_mins(90)]));
    let fault = |line: &str| {
        let fault = lateness(line).unwrap_err().remove(0);
        format!("{} ({})", fault.message, fault.suggestion.unwrap_or_default())
    };
    insta::assert_snapshot!(fault("lateness = '8d'"), @"`lateness` is 8d, outside its limits (from 0s to 7d)");
    insta::assert_snapshot!(
        fault("lateness = 'an hour'"),
        @r#"`lateness` is no length of time: "an hour" (a length of time such as "30s", "10m", "6h", "2d" or "1h30m")"#
    );
}

#[test]
fn a_file_with_many_faults_shows_all_of_them_with_their_places() {
    let text = r#"
id = "other"
nmae = "x"
vendor = 7
asset_kind = "Bin"
interval = "6 hours"

[properties.fill]
kind = "nubmer"
unit = "1"
range = [1, 0]

[properties.Temp]
kind = "number"

[properties.id]
kind = "number"

[properties.occupied]
kind = "boolean"
unit = "°C"
purpose = "exposur"

[mapping]
source = "binary"
port = 300

[[mapping.field]]
channel = "04 8"
property = "fil"
read = "u61le"

[[mapping.field]]
channel = "05"
property = "occupied"
read = "u16le"
bytes = 1
scale = 2

[[mapping.skip]]
channel = "05 00"
bytes = 1
extra = true
"#;
    let files = BTreeMap::from([
        (SmolStr::new("sensor-types/broken.toml"), text.to_owned()),
        (SmolStr::new("sensor-types/syntax.toml"), "id = \nname = \"x\"\n[a\n".to_owned()),
    ]);
    let faults = load_sensor_types(&files).unwrap_err();
    let show = |fault: &Fault| {
        let (line, column) = fault.place(&files[&fault.file]);
        let suggestion = fault.suggestion.as_ref().map_or(String::new(), |text| format!(" ({text})"));
        format!("{}:{line}:{column}: {}{suggestion}", fault.file, fault.message.replace('\n', " "))
    };
    let lines: Vec<String> = faults.iter().map(show).collect();
    insta::assert_snapshot!(lines.join("\n"), @r#"
    sensor-types/broken.toml:2:6: `id` is "other", and the file is named "broken" (write id = "broken", or rename the file to other.toml)
    sensor-types/broken.toml:3:1: unknown key `nmae` (did you mean `name`? known: `asset_kind`, `id`, `interval`, `lateness`, `mapping`, `name`, `properties`, `vendor`)
    sensor-types/broken.toml:4:10: `vendor` is a whole number, not a text (write vendor = "…")
    sensor-types/broken.toml:5:14: `asset_kind` is "Bin" (lower-case letters, digits and hyphens, such as bin-level)
    sensor-types/broken.toml:6:12: `interval` is no length of time: "6 hours" (a length of time such as "30s", "10m", "6h", "2d" or "1h30m")
    sensor-types/broken.toml:9:8: `kind` is "nubmer", which is none of its values (did you mean `number`? known: `number`, `boolean`, `text`)
    sensor-types/broken.toml:11:9: `range` is no range (the lower first: [0, 1.05])
    sensor-types/broken.toml:13:13: a number needs a unit (a UCUM code such as "1", "%", "Cel" or "mm[Hg]")
    sensor-types/broken.toml:13:13: property "Temp" cannot be named so (lower-case letters, digits and _, such as pressure_sacrum)
    sensor-types/broken.toml:16:13: `id` means the message itself, not a property (choose another name)
    sensor-types/broken.toml:16:13: a number needs a unit (a UCUM code such as "1", "%", "Cel" or "mm[Hg]")
    sensor-types/broken.toml:19:13: only a number has a unit and a range
    sensor-types/broken.toml:21:8: unit "°C" is not a UCUM code (for example "Cel" for °C, "mm[Hg]", "%", or "1" for a share)
    sensor-types/broken.toml:22:11: `purpose` is "exposur", which is none of its values (did you mean `exposure`? known: `exposure`, `presence`, `call`)
    sensor-types/broken.toml:26:8: `port` is 300, outside its limits (from 1 to 255)
    sensor-types/broken.toml:29:11: channel "04 8" is no code (1 to 4 bytes in hexadecimal, such as "04 82")
    sensor-types/broken.toml:30:12: property "fil" is not declared above (did you mean `fill`? known: `fill`, `occupied`)
    sensor-types/broken.toml:31:8: `read` is "u61le", which is none of its values (did you mean `u16le`? known: `u8`, `i8`, `u16le`, `u16be`, `i16le`, `i16be`, `u32le`, `u32be`, `i32le`, `i32be`, `f32le`, `f32be`)
    sensor-types/broken.toml:33:1: 2 bytes at 0 do not fit into 1 (write bytes = 2)
    sensor-types/broken.toml:33:1: scale, offset and convert are for numbers without an enumeration (take them away)
    sensor-types/broken.toml:43:1: unknown key `extra` in `mapping.skip` (known: `bytes`, `channel`)
    sensor-types/syntax.toml:1:6: string values must be quoted, expected literal string (a text stands between double quotes: key = "text")
    sensor-types/syntax.toml:3:3: unclosed table, expected `]` (a line of TOML is: key = "text", key = 12, key = true, or a [section])
    "#);
}
