//! Bytes of any kind: nothing panics, and what comes out is whole.

use super::*;

fn topics() -> impl Strategy<Value = String> {
    let known = ["bin-7", EM400, "nested-1", "button-3", "0101010101010101", "waste-1", "stranger"];
    let forms = [
        "rettidig/v1/up/{}",
        "application/a/device/{}/event/up",
        "v3/a@t/devices/{}/up",
        "rettidig/v1/crew/{}/replies",
        "{}",
    ];
    (prop::sample::select(forms.to_vec()), prop::sample::select(known.to_vec()))
        .prop_map(|(form, name)| form.replace("{}", name))
}

/// JSON that is nearly what a format expects.
fn nearly_json() -> impl Strategy<Value = String> {
    let names = [
        "fill",
        "tilt",
        "press",
        "id",
        "observed_at",
        "exercise",
        "level",
        "cm",
        "lid",
        "note",
        "uplink",
        "at",
        "data",
        "object",
        "fPort",
        "fCnt",
        "uplink_message",
        "frm_payload",
        "f_port",
        "decoded_payload",
        "task",
        "answer",
        "reason",
        "deduplicationId",
        "deviceInfo",
        "end_device_ids",
    ];
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        any::<f64>().prop_map(|number| number.to_string()),
        any::<i64>().prop_map(|number| number.to_string()),
        Just("1e999".to_owned()),
        Just("\"AXVc\"".to_owned()),
        "\"[ -~]{0,12}\"",
    ];
    leaf.prop_recursive(4, 32, 6, move |inner| {
        prop::collection::vec((prop::sample::select(names.to_vec()), inner), 0..6).prop_map(|fields| {
            let fields: Vec<String> = fields.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
            format!("{{{}}}", fields.join(","))
        })
    })
}

/// What must hold for any event that `read` makes.
fn check(event: &Event) {
    match event {
        Event::Observed(observed) => {
            for one in &observed.observations {
                if let Value::Number(number) = &one.value {
                    assert!(number.get().is_finite());
                }
                assert!(one.observed_at.since(noon()) <= Limits::default().clock_ahead_tolerance);
            }
        }
        Event::Quarantined(quarantined) => {
            assert!(!quarantined.detail.is_empty());
            assert!(quarantined.head.len() <= Limits::default().quarantine_head_bytes);
        }
        Event::Replied(_) => {}
        other => panic!("read made {other:?}"),
    }
}

proptest! {
    #[test]
    fn no_bytes_can_panic_read(topic in topics(), payload in prop::collection::vec(any::<u8>(), 0..200)) {
        check(&read(&directory(), &uplink(&topic, payload)));
    }

    #[test]
    fn no_json_can_panic_read(topic in topics(), payload in nearly_json()) {
        check(&read(&directory(), &uplink(&topic, payload)));
    }

    #[test]
    fn no_text_can_panic_the_loader(text in "[ -~\n]{0,200}", cut in any::<prop::sample::Index>()) {
        let files = BTreeMap::from([(SmolStr::new("sensor-types/x.toml"), text)]);
        prop_assert!(load_sensor_types(&files).is_err());
        let mut cut_file = NESTED.to_owned();
        cut_file.truncate(cut.index(NESTED.len()));
        let files = BTreeMap::from([(SmolStr::new("sensor-types/nested.toml"), cut_file)]);
        if let Err(faults) = load_sensor_types(&files) {
            prop_assert!(faults.iter().all(|fault| fault.span.end <= NESTED.len()));
        }
    }
}
