//! What rules ask of the estimators: names, units, and when an answer that is handed in turns.

use super::*;

fn bed_vocabulary() -> Vocabulary {
    use PropertyKind::{Boolean, Number};
    let types = [
        sensor_type("percent", "bin", &[("fill", Number, "%", Some((0.0, 105.0))), ("tilt", Boolean, "", None)]),
        sensor_type("paper", "bale", &[("fill", Number, "kg", None)]),
        sensor_type(
            "mat",
            "bed",
            &[
                ("pressure_heel_left", Number, "kPa", None),
                ("pressure_sacrum", Number, "mm[Hg]", None),
                ("occupied", Boolean, "", None),
            ],
        ),
    ];
    Vocabulary::new(types.iter())
}

fn set(kind: &str, condition: &str) -> Result<RuleSet, Vec<Fault>> {
    let text = rule_text(&format!("when = '{condition}'")).replace("\"bin\"", &format!("\"{kind}\""));
    compile(&files(&[("r", &text)]), &bed_vocabulary())
}

fn of(kind: &str, condition: &str) -> Rule {
    let set = set(kind, condition).unwrap_or_else(|faults| panic!("{condition}: {faults:?}"));
    Rule::clone(set.iter().next().unwrap())
}

#[test]
fn what_cannot_be_asked_is_a_fault_in_its_place() {
    let cases = [
        ("bed", "p_overflow(\"12h\") > 0.1"),
        ("bale", "p_overflow(\"12h\") > 0.1"),
        ("bin", "p_overflow(fill) > 0.1"),
        ("bin", "p_overflow(\"soon\") > 0.1"),
        ("bin", "p_overflow(\"40d\") > 0.1"),
        ("bin", "p_overflow() > 0.1"),
        ("bin", "p_overflow(\"12h\") > \"12h\""),
        ("bin", "p_overflow(\"12h\")"),
        ("bin", "emptied(fill)"),
        ("bin", "emptied"),
        ("bin", "time_to_full() < 2"),
        ("bin", "time_to_full() == \"2d\""),
        ("bin", "emptyed()"),
        ("bin", "exposure(\"sacrum\") > 120"),
        ("bed", "exposure(\"sacrm\") > 120"),
        ("bed", "exposure(\"heel_left\") > 120"),
        ("bed", "exposure(sacrum) > 120"),
        ("bed", "exposure(\"sacrum\") > \"120 mmHg\""),
        ("bed", "time_to_limit(\"sacrum\") <= 30"),
        ("bed", "time_to_limit(\"sacrum\") <= \"31m\""),
        ("bin", "\"91d\" > time_to_full()"),
        ("bed", "pressure[\"sacrm\"] > 40"),
        ("bed", "weight[\"sacrum\"] > 40"),
        ("bed", "pressure[1] > 40"),
        ("bed", "pressure[\"sacrum\"] > \"40 Cel\""),
    ];
    let report: Vec<String> = cases
        .iter()
        .map(|(kind, case)| {
            let text = rule_text(&format!("when = '{case}'")).replace("\"bin\"", &format!("\"{kind}\""));
            let texts = files(&[("r", &text)]);
            let faults = compile(&texts, &bed_vocabulary()).expect_err(case);
            format!("{kind}: {case}\n  {}", shown(&faults, &texts).replace('\n', "\n  "))
        })
        .collect();
    insta::assert_snapshot!(report.join("\n"));
}

#[test]
fn an_index_is_another_way_to_write_a_name() {
    let (index, name) = (of("bed", "pressure[\"sacrum\"] > 40"), of("bed", "pressure_sacrum > 40"));
    assert_eq!(index.lowered, name.lowered);
    let remembers = |condition: &str| of("bed", condition).lowered.calls[0].key;
    assert_eq!(remembers("held(pressure[ \"sacrum\" ] > 40, \"1h\")"), remembers("held(pressure_sacrum > 40, \"1h\")"));
}

#[test]
fn equivalent_minutes_are_compared_with_minutes_and_with_lengths_of_time() {
    assert_eq!(of("bed", "exposure(\"sacrum\") >= \"2h\"").lowered, of("bed", "exposure(\"sacrum\") >= 120").lowered);
}

#[test]
fn a_property_is_followed_once_however_many_rules_ask() {
    let two = format!(
        "{}\n{}",
        rule_text("when = 'p_overflow(next_service()) > 0.1 || time_to_full() < \"1d\"'"),
        rule_text("when = 'p_overflow(next_service()) > 0.2'\nnormal_when = 'emptied()'").replace("\"r\"", "\"s\"")
    );
    let set = compile(&files(&[("r", &two)]), &bed_vocabulary()).unwrap();
    let kind = AssetKind::new("bin");
    assert_eq!(set.followed(&kind), [Followed { slot: 0, quantity: Quantity::Fill { full: 100.0 } }]);
    let asked: Vec<About> = set.questions(&kind).iter().map(|question| question.about).collect();
    let emptied = About::Happened(Happening::Emptied);
    assert_eq!(asked, [About::Overflow(Ahead::NextService), About::TimeToFull, emptied]);
    let rules: usize = set.for_kind(&kind).iter().map(|rule| rule.state_bytes()).sum();
    assert_eq!(set.state_bytes(&kind), rules + Quantity::Fill { full: 100.0 }.state_bytes());
    let about_emptying = |id: &str| set.rule(&RuleId::new(id)).unwrap().is_about_emptying();
    assert_eq!((about_emptying("r"), about_emptying("s")), (false, true));
    assert!(set.followed(&AssetKind::new("bed")).is_empty(), "no rule asks about beds");
}

/// What a rule says, and when it asks again, while an estimator answers this.
fn judged(condition: &str, answer: Outcome) -> (Truth, Option<Span>) {
    let rule = of("bed", condition);
    let estimates: Vec<_> = rule.questions().map(|question| (question, answer)).collect();
    let (asset, now) = (bin(BTreeMap::new()), at(1_000));
    let inputs = Inputs {
        samples: &[],
        fresh: &[],
        earlier: &[],
        asset: &asset,
        calendars: None,
        estimates: &estimates,
        silent: false,
        now,
    };
    let evaluation = rule.evaluate(&inputs, &mut Memory::default());
    (evaluation.when, evaluation.wake.map(|(_, wake)| wake.since(now)))
}

#[test]
fn an_answer_turns_when_it_crosses_what_it_is_compared_with() {
    let minute = 1.0 / 60e6;
    let grows = Outcome { drift: minute, ..Outcome::number(100.0) }.turning(at(1_000) + Span::from_hours(1));
    assert_eq!(judged("exposure(\"sacrum\") >= 120", grows), (Truth::False, Some(Span::from_mins(20))));
    assert_eq!(judged("exposure(\"sacrum\") >= 200", grows), (Truth::False, Some(Span::from_hours(1))));
    // Half of it is left after ln 2 of its five minutes.
    let fades = Outcome { fades: minute / 5.0, ..Outcome::number(100.0) };
    let half = Span::from_micros(libm::ceil(300e6 * std::f64::consts::LN_2) as i64);
    assert_eq!(judged("exposure(\"sacrum\") < 50", fades), (Truth::False, Some(half)));
    assert_eq!(judged("50 > exposure(\"sacrum\")", fades), (Truth::False, Some(half)));
    assert_eq!(judged("exposure(\"sacrum\") < 0", fades), (Truth::False, None), "it never gets there");
    assert_eq!(judged("exposure(\"sacrum\") < 200", fades), (Truth::True, None));
    let rises = Outcome { rises: true, ..Outcome::number(100.0) }.turning(at(1_000) + Span::from_hours(1));
    assert_eq!(judged("exposure(\"sacrum\") > 120", rises), (Truth::False, Some(Span::from_hours(1))));
    assert_eq!(judged("exposure(\"sacrum\") > 90", rises), (Truth::True, None), "it stays above");
    assert_eq!(judged("90 > exposure(\"sacrum\")", rises), (Truth::False, None));
    assert_eq!(judged("exposure(\"sacrum\") > 90", Outcome::UNKNOWN), (Truth::Unknown, None));
}
