//! The rules room through its own door: texts in, faults or verdicts out.

mod estimates;
mod functions;
mod held;

use super::*;
use crate::domain::asset::{Asset, Property, PropertyKind, SensorType};
use crate::domain::fault::Fault;
use crate::domain::ids::{AssetKind, PropertyName, RuleId, SensorTypeId};
use crate::domain::observation::{Finite, Value};
use crate::domain::time::{Span, Timestamp};
use proptest::prelude::*;
use smol_str::SmolStr;
use std::collections::BTreeMap;

/// Name, type, unit, range.
type Given = (&'static str, PropertyKind, &'static str, Option<(f64, f64)>);

fn sensor_type(id: &str, kind: &str, properties: &[Given]) -> SensorType {
    let property = |(name, kind, unit, range): &Given| {
        let property = Property { kind: *kind, unit: SmolStr::new(unit), range: *range, purpose: None };
        (PropertyName::new(name), property)
    };
    SensorType {
        id: SensorTypeId::new(id),
        asset_kind: AssetKind::new(kind),
        interval: Span::from_hours(6),
        lateness: Span::ZERO,
        properties: properties.iter().map(property).collect(),
    }
}

fn vocabulary() -> Vocabulary {
    use PropertyKind::{Boolean, Number, Text};
    let types = [
        sensor_type(
            "em400",
            "bin",
            &[
                ("fill", Number, "1", Some((0.0, 1.05))),
                ("temperature", Number, "Cel", None),
                ("tilt", Boolean, "", None),
                ("lid", Text, "", None),
            ],
        ),
        sensor_type("mat", "bed", &[("occupied", Boolean, "", None), ("press", Number, "", None)]),
        sensor_type("old-mat", "bed", &[("press", Boolean, "", None)]),
    ];
    Vocabulary::new(types.iter()).with_shifts(["day".into(), "night".into()].iter())
}

const RATIONALE: &str = r#"
cause = { en = "The bin is nearly full", da = "Spanden er næsten fuld" }
consequence = { en = "Waste beside the bin", da = "Affald ved siden af spanden" }
response = { en = "Empty it", da = "Tøm den" }
owner = "waste-operations"
respond_within = "24h"
"#;

/// A whole rule for a bin around these lines.
#[test]
fn a_moment_cannot_return_to_normal_by_a_condition() {
    let texts = files(&[("a.toml", &rule_text("when = 'tilt'\nnormal_when = '!tilt'\nmomentary = true"))]);
    let faults = compile(&texts, &vocabulary()).unwrap_err();
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert!(faults[0].message.contains("`momentary`"), "{faults:?}");
    let texts = files(&[("a.toml", &rule_text("when = 'tilt'\nmomentary = true"))]);
    assert!(compile(&texts, &vocabulary()).unwrap().iter().all(|rule| rule.momentary));
}

fn rule_text(lines: &str) -> String {
    format!("[[rule]]\nid = \"r\"\napplies_to = \"bin\"\npriority = 3\n{lines}\n{RATIONALE}")
}

fn files(texts: &[(&str, &str)]) -> BTreeMap<SmolStr, String> {
    texts.iter().map(|(name, text)| (SmolStr::new(name), (*text).to_owned())).collect()
}

fn shown(faults: &[Fault], files: &BTreeMap<SmolStr, String>) -> String {
    let line = |fault: &Fault| {
        let text = &files[&fault.file];
        let (line, column) = fault.place(text);
        let at = text.get(fault.span.clone()).unwrap();
        let suggestion = fault.suggestion.as_deref().unwrap_or("-");
        format!("{}:{line}:{column} [{at}] {}\n    {suggestion}", fault.file, fault.message)
    };
    faults.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn faults_of(texts: &[(&str, &str)]) -> String {
    let files = files(texts);
    shown(&compile(&files, &vocabulary()).expect_err("faults are expected"), &files)
}

fn compiled(lines: &str) -> Rule {
    let files = files(&[("rules/r.toml", &rule_text(lines))]);
    let set = compile(&files, &vocabulary()).unwrap_or_else(|faults| panic!("{}", shown(&faults, &files)));
    Rule::clone(set.rule(&RuleId::new("r")).unwrap())
}

fn number(value: f64) -> Value {
    Value::Number(Finite::new(value).unwrap())
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

fn bin(attributes: BTreeMap<SmolStr, Value>) -> Asset {
    Asset { id: "bin-1".into(), kind: "bin".into(), area: None, position: None, person: None, attributes }
}

/// A bin and what it was last seen to be. Times are seconds.
#[derive(Clone, Default)]
struct Bin {
    samples: BTreeMap<&'static str, (Value, i64)>,
    attributes: BTreeMap<SmolStr, Value>,
    silent: bool,
}

impl Bin {
    fn with(mut self, property: &'static str, value: Value, observed_at: i64) -> Self {
        self.samples.insert(property, (value, observed_at));
        self
    }

    fn fill(value: f64, observed_at: i64) -> Self {
        Self::default().with("fill", number(value), observed_at)
    }

    fn evaluate(&self, rule: &Rule, memory: &mut Memory, now: i64) -> Evaluation {
        let samples: Vec<Option<Sample>> = ["fill", "lid", "temperature", "tilt"]
            .iter()
            .map(|name| {
                let (value, observed_at) = self.samples.get(name)?;
                Some(Sample { value: value.clone(), observed_at: at(*observed_at), received_at: at(now) })
            })
            .collect();
        let asset = bin(self.attributes.clone());
        let inputs = Inputs {
            samples: &samples,
            fresh: &[],
            earlier: &[],
            asset: &asset,
            calendars: None,
            estimates: &[],
            silent: self.silent,
            now: at(now),
        };
        rule.evaluate(&inputs, memory)
    }

    fn when(&self, condition: &str) -> Truth {
        let rule = compiled(&format!("when = '{condition}'"));
        self.evaluate(&rule, &mut Memory::default(), 0).when
    }
}

#[test]
fn a_whole_rule_is_read() {
    let rule = compiled(
        "when = 'fill >= 0.8'\nnormal_when = 'fill <= 0.25'\nunless = 'silent()'\non_delay = '10m'\n\
         task = { kind = 'empty-bin', skill = 'waste' }",
    );
    assert_eq!(rule.on_delay, Span::from_mins(10));
    assert_eq!(rule.task.as_ref().map(|task| task.kind.as_str()), Some("empty-bin"));
    assert_eq!(rule.rationale.response.da, "Tøm den");
    assert_eq!((rule.reads(), rule.reads_silence(), rule.stateful_calls()), (&[0_u16][..], true, 0));
    assert_eq!(rule.conditions.when, "fill >= 0.8");
}

#[test]
fn a_call_keeps_its_memory_while_it_means_the_same() {
    let earlier = compiled("when = 'held(tilt, \"10m\") || held(fill > 0.9, \"5m\")'");
    let rule = compiled(
        "when = 'held( (fill) > 0.90, \"300s\") && lid == \"open\"'\nunless = 'held(!tilt, \"10m\")'\non_delay = '1m'",
    );
    assert_eq!(rule.calls_kept_from(&earlier), ["held( (fill) > 0.90, \"300s\")"]);
    assert_eq!(rule.calls_begun_after(&earlier), ["held(!tilt, \"10m\")"]);
    let mut memory = Memory::default();
    let bin = Bin::fill(0.95, 0).with("tilt", Value::Boolean(true), 0).with("lid", Value::Text("open".into()), 0);
    assert_eq!(bin.evaluate(&earlier, &mut memory, 0).wake, Some((1, at(300))));
    let mut kept = rule.recall(&earlier.remembered(memory.words()));
    assert_eq!(rule.call_like(&earlier, 1), Some(0));
    assert_eq!(bin.evaluate(&rule, &mut kept, 300).when, Truth::True);
}

#[test]
fn the_same_call_twice_is_one() {
    let rule = compiled("when = 'held(tilt, \"1h\") || lid == \"open\"'\nnormal_when = '!held(tilt, \"60m\")'");
    assert_eq!((rule.stateful_calls(), rule.state_bytes()), (1, 16 + 2 * 8));
}

/// What a unit or a type of a property says is part of what a call means.
#[test]
fn a_call_about_a_property_in_another_unit_means_something_else() {
    let rule = |unit: &'static str| {
        let vocabulary =
            Vocabulary::new([sensor_type("level", "bin", &[("depth", PropertyKind::Number, unit, None)])].iter());
        let files = files(&[("r", &rule_text("when = 'held(depth > 1, \"1m\")'"))]);
        Rule::clone(compile(&files, &vocabulary).unwrap().rule(&RuleId::new("r")).unwrap())
    };
    assert_eq!(rule("cm").calls_kept_from(&rule("mm")), Vec::<&str>::new());
    assert_eq!(rule("mm").calls_kept_from(&rule("mm")).len(), 1);
}

#[test]
fn memories_of_before_calls_had_keys_are_found_by_their_place() {
    let rule = compiled("when = 'held(held(tilt, \"1m\"), \"5m\") || held(fill > 0.5, \"2m\")'");
    let old = [
        Remembered::held(0, None, None),
        Remembered::held(1, Some(at(0)), Some(at(10))),
        Remembered::held(2, Some(at(0)), Some(at(20))),
    ];
    let mut memory = rule.recall(&old);
    assert_eq!(rule.node_in(&old, 2), Some(2));
    let bin = Bin::fill(0.95, 30).with("tilt", Value::Boolean(true), 30);
    assert_eq!(bin.evaluate(&rule, &mut memory, 30).wake, Some((0, at(70))));
    assert_eq!(bin.evaluate(&rule, &mut memory, 70).wake, Some((2, at(140))));
    assert_eq!(rule.recall(&rule.remembered(memory.words())), memory);
}

#[test]
fn slots_stand_in_the_order_of_the_names() {
    let set = compile(&BTreeMap::new(), &vocabulary()).unwrap();
    let slots = set.slots(&AssetKind::new("bin"));
    assert_eq!(slots.names().map(PropertyName::as_str).collect::<Vec<_>>(), ["fill", "lid", "temperature", "tilt"]);
    assert_eq!(slots.slot(&PropertyName::new("tilt")), Some(3));
    assert_eq!(slots.slot(&PropertyName::new("press")), None);
    assert!(set.slots(&AssetKind::new("tree")).is_empty());
}

#[test]
fn every_fault_in_a_condition_has_its_place() {
    let cases = [
        "fil >= 0.8",
        "fill >= 80",
        "-3 > fill",
        "fill >= \"high\"",
        "fill",
        "tilt > true",
        "fill + tilt > 1",
        "asset.a == asset.b",
        "hold(tilt, \"10m\")",
        "held(tilt)",
        "held(tilt, 10)",
        "held(tilt, \"0s\")",
        "held(fill, \"10m\")",
        "silent",
        "asset",
        "fill.held(\"10m\")",
        "tilt ? true : false",
        "fill % 2 == 0",
        "lid in [\"open\"]",
        "fill[0] > 1",
        "[1, 2].exists(x, x > fill)",
        "true || 1 < 2",
        "fill >= 0.8 and tilt",
        "lid = \"open\"",
        "fill >= 0.8 &&",
        "(fill >= 0.8",
        "fill >= 0.8 @",
        "  ",
        "fil > 0 && tmperature > 1 || hold(tilt)",
        "fill > 99999999999999999999",
        "æble > 1",
        "fill > 20 °C",
        "fill > \"20 °C\"",
        "temperature >= \"60 %\" || fill > \"120 %\"",
        "temperature > fill",
        "fill + temperature > 1",
        "temperature - \"5 min\" > 1",
        "fill > \"80\"",
        "age(fill) > 12",
        "age(fill) > \"20 °C\" || age(0.5) > \"1h\" || age(asset.limit) > \"1h\"",
        "age(fill) > fill",
        "age(fill) * age(fill) > 1",
        "avg(tilt, \"1h\") > 0.5 || avg(0.5, \"1h\") > 1",
        "avg(age(fill), \"1h\") > \"1h\"",
        "count(silent(), \"1h\") > 1",
        "count(fill, \"1h\") > 1",
        "min(temperature, \"1h\") > \"20 %\"",
        "rate(temperature, \"6h\") > \"5 Cel\"",
        "delta(lid) > 1",
        "changed(fill > 1) || changed(fil)",
        "then(tilt, silent(), \"5m\")",
        "then(tilt, fill > 0.5, \"32d\")",
        "cuont(tilt, \"1h\") > 1",
        "in_shift(\"nigth\") || in_shift(night) || in_shift(1)",
        "next_service() < 12 || next_service() > fill || next_service",
        "next_service() == \"1h\" || age(fill) != \"1h\"",
    ];
    let report: Vec<String> = cases
        .iter()
        .map(|case| {
            let all = faults_of(&[("r", &rule_text(&format!("when = '{case}'")))]);
            format!("{case}\n  {}", all.replace('\n', "\n  "))
        })
        .collect();
    insta::assert_snapshot!(report.join("\n"));
}

#[test]
fn a_place_inside_an_escaped_or_long_text_is_exact() {
    let text = rule_text("when = \"lid == \\\"open\\\" && fil > 0\"\nunless = \"\"\"\ntilt &&\n  tmperature > 3\"\"\"");
    insta::assert_snapshot!(faults_of(&[("r", &text)]), @r#"
    r:5:28 [fil] an asset of kind `bin` has no property `fil`
        did you mean `fill`? known: `fill`, `lid`, `temperature`, `tilt`
    r:8:3 [tmperature] an asset of kind `bin` has no property `tmperature`
        did you mean `temperature`? known: `fill`, `lid`, `temperature`, `tilt`
    "#);
}

#[test]
fn what_a_rule_does_with_late_values_follows_from_its_priority_unless_it_says_so() {
    let told = |priority: u8, keys: &str| {
        let text = rule_text(&format!("when = 'tilt'\n{keys}"));
        let text = text.replace("priority = 3", &format!("priority = {priority}"));
        let rules = compile(&BTreeMap::from([("r.toml".into(), text)]), &vocabulary()).expect("no fault");
        let rule = rules.iter().next().expect("one rule");
        (rule.eager, rule.when_late, rule.version)
    };
    let (eager, when_late, usual) = told(3, "");
    assert_eq!((eager, when_late), (false, WhenLate::Ignore));
    assert_eq!((told(1, "").0, told(1, "").1), (true, WhenLate::Raise));
    assert_eq!((told(2, "").0, told(2, "").1), (false, WhenLate::Raise));
    assert_eq!(told(3, "momentary = true").1, WhenLate::Raise);
    assert_eq!(told(1, "when_late = 'ignore'").1, WhenLate::Ignore);
    assert_eq!(told(3, "eager = false\nwhen_late = 'ignore'").2, usual, "what decides the same is the same version");
    assert_ne!(told(3, "eager = true").2, usual);
    assert_ne!(told(3, "when_late = 'raise'").2, usual);
}

#[test]
fn a_rule_of_priority_1_does_not_wait_and_a_late_value_is_ignored_or_raises() {
    let text = rule_text("when = 'tilt'\neager = false\nwhen_late = 'rise'").replace("priority = 3", "priority = 1");
    insta::assert_snapshot!(faults_of(&[("r", &text)]), @r#"
    r:6:9 [false] a rule of priority 1 decides when a value arrives, so it cannot be told to wait
        leave out `eager`, or give the rule another priority
    r:7:13 ['rise'] `when_late` is "rise", which is none of its values
        did you mean `raise`? known: `ignore`, `raise`
    "#);
    let text = rule_text("when = 'tilt'\neager = 'yes'\nwhen_late = 1");
    insta::assert_snapshot!(faults_of(&[("r", &text)]), @r#"
    r:6:9 ['yes'] `eager` is a text, not true or false
        write eager = true
    r:7:13 [1] `when_late` is a whole number, not a text
        write when_late = "…"
    "#);
}

#[test]
fn every_fault_of_every_file_is_found_in_one_go() {
    let one = "[[rule]]\nid = \"Bin Full\"\napplies_to = \"bim\"\nwhen = 'fill >= 0.8'\npriority = 5\nonn_delay = \"1m\"\n\
               task = { kind = \"empty-bin\" }\ncause = { en = \"\", da = \"x\" }\nconsequence = \"x\"\n\
               response = { en = \"x\" }\nowner = 7\nrespond_within = \"soon\"\n";
    let two = format!("{}\n{}\n[[rules]]\n", rule_text("when = 'tilt'"), rule_text("when = 'tilt'\non_delay = \"9d\""));
    let three = rule_text("when = 'tilt'").replace("\"bin\"", "\"bed\"").replace("'tilt'", "'press > 1'");
    insta::assert_snapshot!(faults_of(&[("a.toml", one), ("b.toml", &two), ("c.toml", &three)]), @r#"
    a.toml:2:6 ["Bin Full"] `id` is "Bin Full"
        lower-case letters, digits and hyphens, beginning with a letter, such as bin-full
    a.toml:3:14 ["bim"] no sensor type measures an asset of kind `bim`
        did you mean `bin`? known: `bed`, `bin`
    a.toml:5:12 [5] `priority` is 5, outside its limits
        from 1 to 4
    a.toml:6:1 [onn_delay] unknown key `onn_delay` in `rule`
        did you mean `on_delay`? known: `applies_to`, `cause`, `consequence`, `eager`, `id`, `momentary`, `normal_when`, `on_delay`, `owner`, `priority`, `respond_within`, `response` and 5 more
    a.toml:7:8 [] `skill` is missing in `rule.task`
        add a line such as skill = "waste"
    a.toml:8:16 [""] `en` is empty
        write a text
    a.toml:9:15 ["x"] `consequence` is a text, not a table
        write consequence = { … }
    a.toml:10:12 [] `da` is missing in `rule.response`
        add a line such as da = "…"
    a.toml:11:9 [7] `owner` is a whole number, not a text
        write owner = "…"
    a.toml:12:18 ["soon"] `respond_within` is no length of time: "soon"
        a length of time such as "30s", "10m", "6h", "2d" or "1h30m"
    b.toml:14:6 ["r"] the rule id `r` is already taken
        the other one stands in b.toml:2
    b.toml:18:12 ["9d"] `on_delay` is 9d, outside its limits
        from 0s to 7d
    b.toml:26:3 [rules] unknown key `rules`
        did you mean `rule`? known: `rule`
    c.toml:2:6 ["r"] the rule id `r` is already taken
        the other one stands in b.toml:2
    c.toml:5:9 [press] `press` does not mean the same in sensor types `mat` and `old-mat`
        give it one type and one unit in both, or two names
    "#);
}

#[test]
fn a_byte_order_mark_and_windows_line_ends_shift_nothing() {
    let text = format!("\u{feff}{}", rule_text("when = 'fil > 0.8'")).replace('\n', "\r\n");
    assert!(faults_of(&[("r", &text)]).starts_with("r:5:9 [fil] "));
}

#[test]
fn a_rule_without_its_reasons_is_no_rule() {
    let text = "[[rule]]\nid = \"r\"\napplies_to = \"bin\"\nwhen = 'tilt'\npriority = 3\n";
    insta::assert_snapshot!(faults_of(&[("r", text)]), @r#"
    r:1:1 [] `cause` is missing in `rule`
        add a line such as cause = { en = "The bin is nearly full", da = "…" }
    r:1:1 [] `consequence` is missing in `rule`
        add a line such as consequence = { en = "Waste is left beside the bin", da = "…" }
    r:1:1 [] `owner` is missing in `rule`
        add a line such as owner = "waste-operations"
    r:1:1 [] `respond_within` is missing in `rule`
        add a line such as respond_within = "24h"
    r:1:1 [] `response` is missing in `rule`
        add a line such as response = { en = "Empty the bin", da = "…" }
    "#);
}

#[test]
fn limits_are_answered_with_a_fault() {
    let long = format!("fill > {}", "0 + ".repeat(limits::EXPRESSION_BYTES_MAX));
    let deep = format!("{}tilt{}", "(".repeat(30), ")".repeat(30));
    let chain = format!("tilt{}", " && tilt".repeat(70));
    let sum = format!("fill{} > 1", " + fill".repeat(30));
    let stateful: Vec<String> =
        (0..=limits::STATEFUL_NODES_MAX).map(|n| format!("held(tilt, \"{}m\")", n + 1)).collect();
    let stateful = stateful.join(" || ");
    for (case, expected) in [
        (long, "bytes long"),
        (deep, "nested too deeply"),
        (chain, "parts"),
        (sum, "nested too deeply"),
        (stateful, "calls with a memory"),
    ] {
        let found = faults_of(&[("r", &rule_text(&format!("when = '{case}'")))]);
        assert!(found.contains(expected) && found.lines().count() == 2, "{found}");
    }
    let many = rule_text("when = 'tilt'").repeat(limits::RULES_PER_FILE_MAX + 1);
    assert!(faults_of(&[("r", &many)]).contains("more than 200 rules"));
    let heavy = " ".repeat(limits::FILE_BYTES_MAX + 1);
    assert!(faults_of(&[("r", &heavy)]).contains("bytes long"));
    let names: Vec<String> = (0..=limits::FILES_MAX).map(|n| format!("{n:04}")).collect();
    let files: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "")).collect();
    assert!(faults_of(&files).contains("more than 200 rule files"));
}

#[test]
fn the_longest_conditions_neither_overflow_nor_stall() {
    let whole = |unit: &str, end: &str| {
        let unit_count = (limits::EXPRESSION_BYTES_MAX - end.len()) / unit.len();
        format!("{}{end}", unit.repeat(unit_count))
    };
    for condition in [
        whole("1+", "1"),
        whole("!", "til"),
        whole("-", "1"),
        whole("a.", "b"),
        whole("f(", ""),
        whole("(", ""),
        whole("a[", ""),
        whole("a?", "b"),
        whole("a?b:", "c"),
        whole("a&&", "b"),
        whole("a<", "b"),
        whole("((", "))"),
        whole(")", ""),
        whole("\"", ""),
        whole("held(", "tilt"),
        whole("{a:", "b"),
    ] {
        let found = faults_of(&[("r", &rule_text(&format!("when = '{condition}'")))]);
        assert!(
            found.starts_with("r:5:"),
            "{condition}
{found}"
        );
    }
}

#[test]
fn conditions_mean_what_they_say() {
    let mut bin = Bin::fill(0.8, 0).with("tilt", Value::Boolean(true), 0).with("lid", Value::Text("open".into()), 0);
    bin = bin.with("temperature", number(30.0), 0);
    bin.attributes.insert("limit".into(), number(0.7));
    bin.attributes.insert("street".into(), Value::Text("Algade".into()));
    bin.attributes.insert("public".into(), Value::Boolean(true));
    for condition in [
        "fill >= 0.8",
        "fill == 0.8 && fill != 0.9 && fill <= 0.8 && !(fill < 0.8) && !(fill > 0.8)",
        "1.0 - fill < 0.5 * 0.5 + 0.1 / 2.0",
        "-fill == -0.8",
        "tilt && lid == \"open\" && lid != \"shut\"",
        "tilt == true && tilt != (fill > 1)",
        "fill > asset.limit && asset.limit > 0.6 && asset.limit * 2 > 1",
        "asset.street == \"Algade\" && asset.public && asset.public == tilt",
        "fill > asset.limit || asset.absent > 1",
        "!silent()",
        "1 > fill",
        "fill >= 0.9 * asset.limit",
        "fill >= \"80 %\" && \"79.9 %\" < fill && !(fill > \"80%\")",
        "fill - \"5 %\" > \"74 %\" && fill * 100 > 79 && fill / fill == 1",
        "fill * temperature > 20 && temperature > \"29.9 °C\" && temperature <= \"30 Cel\" && temperature - 1 < 30",
        "temperature / fill > 20 && 1 / fill > 1",
        "asset.limit * 1.1 < fill && 0.5 + 0.1 < fill",
    ] {
        assert_eq!(bin.when(condition), Truth::True, "{condition}");
    }
}

#[test]
fn what_is_not_known_is_neither_true_nor_false() {
    let mut bin = Bin::fill(0.8, 0);
    bin.attributes.insert("street".into(), Value::Text("Algade".into()));
    for (condition, expected) in [
        ("tilt", Truth::Unknown),
        ("!tilt", Truth::Unknown),
        ("tilt && fill > 0.5", Truth::Unknown),
        ("tilt && fill > 0.9", Truth::False),
        ("tilt || fill > 0.5", Truth::True),
        ("tilt || fill > 0.9", Truth::Unknown),
        ("tilt == tilt", Truth::Unknown),
        ("temperature > 60", Truth::Unknown),
        ("asset.absent > 1", Truth::Unknown),
        ("asset.street > 1", Truth::Unknown),
        ("asset.street", Truth::Unknown),
        ("lid == \"open\"", Truth::Unknown),
        ("fill / 0.0 > 1", Truth::Unknown),
        ("0.0 / (fill - fill) > 1", Truth::Unknown),
        ("held(tilt, \"1m\")", Truth::Unknown),
    ] {
        assert_eq!(bin.when(condition), expected, "{condition}");
    }
}

/// Words that conditions are made of, and some that only look like it.
fn word() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "fill", "tilt", "lid", "asset", ".", "limit", "held", "silent", "(", ")", "(", ")", ",", "\"10m\"", "'x'",
        "0.8", "1", "-", "+", "*", "/", "&&", "||", "!", "==", "!=", "<", ">=", "?", ":", "[", "]", "{", "}", "in",
        "has", "all", "b\"x\"", "1u", "null", "true", "`", "\\", "\"", "'", "\n", "//", "æ", "😀", "0x", "1e999",
        "\u{0}", "r'", "%",
    ])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn no_file_can_panic_compile(text in "(?s).{0,200}") {
        drop(compile(&files(&[("r", &text)]), &vocabulary()));
    }

    #[test]
    fn no_condition_can_panic_compile(words in prop::collection::vec(word(), 0..40), gap in prop::sample::select(vec!["", " "])) {
        let condition = words.join(gap);
        let text = rule_text(&format!("when = {condition:?}").replace("\\u{0}", "\\u0000"));
        if let Err(faults) = compile(&files(&[("r", &text)]), &vocabulary()) {
            for fault in faults {
                prop_assert!(text.get(fault.span.clone()).is_some(), "{fault:?}");
            }
        }
    }

    #[test]
    fn held_matures_exactly_after_its_time(
        wait in 1_i64..10_000,
        start in 0_i64..1_000_000,
        steps in prop::collection::vec(1_i64..5_000, 0..20),
    ) {
        let rule = compiled(&format!("when = 'held(fill >= 0.8, \"{wait}s\")'"));
        let mut memory = Memory::default();
        let full = Bin::fill(0.9, start);
        let mut now = start;
        prop_assert_eq!(full.evaluate(&rule, &mut memory, now).wake, Some((0, at(start + wait))));
        for step in steps {
            now += step;
            let evaluation = full.evaluate(&rule, &mut memory, now);
            prop_assert_eq!(evaluation.when, Truth::from(now >= start + wait));
            prop_assert_eq!(evaluation.wake.is_none(), now >= start + wait);
        }
    }

    #[test]
    fn the_same_inputs_give_the_same_verdict(
        fills in prop::collection::vec((0.0_f64..1.05, 0_i64..600), 1..20),
    ) {
        let rule = compiled("when = 'held(fill >= 0.5, \"5m\") && !held(fill >= 0.9, \"1m\")'\nnormal_when = 'fill <= 0.2'");
        let run = || {
            let (mut memory, mut now) = (Memory::default(), 0);
            fills.iter().map(|(fill, step)| {
                now += step;
                let evaluation = Bin::fill(*fill, now).evaluate(&rule, &mut memory, now);
                (evaluation, memory.clone())
            }).collect::<Vec<_>>()
        };
        prop_assert_eq!(run(), run());
    }
}
