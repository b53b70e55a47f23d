//! From the TOML table `[[rule]]` to a `Rule`: every key checked, every fault reported, reading goes on.

use super::expression::{Lowering, Operation, Reads, check_syntax, lower};
use super::limits::{NAME_BYTES_MAX, ON_DELAY, RATIONALE_BYTES_MAX, RESPOND_WITHIN};
use super::memory::fingerprint;
use super::rule::{Conditions, Lowered, Rationalisation, Rule, TaskTemplate, Text, WhenLate};
use super::vocabulary::Vocabulary;
use crate::domain::alarm::Priority;
use crate::domain::fault::suggest_known;
use crate::domain::ids::{AssetKind, RuleId, RuleVersion, Skill};
use crate::domain::toml_reader::{Field, Section, Text as Written};
use smol_str::SmolStr;

/// The conditions as they stand in the file.
struct Found<'a> {
    when: Option<Written<'a>>,
    unless: Option<Written<'a>>,
    normal_when: Option<Written<'a>>,
}

/// Reads one rule; `None` after a fault in something a rule cannot be without.
///
/// A fault in an optional part leaves the part out: with any fault at all no rule set comes of it.
pub(super) fn read_rule(mut section: Section<'_>, file: &SmolStr, vocabulary: &Vocabulary) -> Option<Rule> {
    let id = section.required("id", "id = \"bin-full\"").and_then(|field| name(&field)).map(RuleId::new);
    let kind = section.required("applies_to", "applies_to = \"bin\"").and_then(|field| kind(&field, vocabulary));
    let found = Found {
        when: section.required("when", "when = \"fill >= 0.8\"").and_then(|field| field.text()),
        unless: section.optional("unless").and_then(|field| field.text()),
        normal_when: section.optional("normal_when").and_then(|field| field.text()),
    };
    let place = section.span();
    let lowered = conditions(&found, kind.as_ref(), vocabulary);
    let priority = section.required("priority", "priority = 3").and_then(|field| priority(&field));
    let on_delay = section.optional("on_delay").and_then(|field| field.length_of_time(ON_DELAY));
    let momentary = section.optional("momentary").and_then(|field| momentary(&field, found.normal_when.is_some()));
    let eager = section.optional("eager").and_then(|field| eager(&field, priority));
    let when_late = section.optional("when_late").and_then(|field| when_late(&field));
    let shadow = section.optional("shadow").and_then(|field| field.boolean());
    let task = section.optional("task").and_then(|field| task(field.section()?));
    let rationale = rationale(&mut section);
    section.finish();
    let written = |text: Written<'_>| text.value.into_owned();
    let (priority, momentary) = (priority?, momentary.unwrap_or_default());
    let rule = Rule {
        id: id?,
        version: RuleVersion::default(),
        file: file.clone(),
        place,
        applies_to: kind?,
        priority,
        on_delay: on_delay.unwrap_or_default(),
        momentary,
        eager: eager.unwrap_or_else(|| eager_by_default(priority)),
        when_late: when_late.unwrap_or_else(|| when_late_by_default(priority, momentary)),
        shadow: shadow.unwrap_or_default(),
        task,
        rationale: rationale?,
        lowered: lowered?,
        conditions: Conditions {
            when: written(found.when?),
            unless: found.unless.map(written),
            normal_when: found.normal_when.map(written),
        },
    };
    Some(Rule { version: version(&rule), ..rule })
}

/// A hash over what decides: a journal holds it, so it is the same in every version of the program.
fn version(rule: &Rule) -> RuleVersion {
    let Rule { id, applies_to, priority, on_delay, momentary, task, conditions, .. } = rule;
    let Conditions { when, unless, normal_when } = conditions;
    let task = task.as_ref().map(|task| (task.kind.as_str(), task.skill.as_str()));
    let decides = (id.as_str(), applies_to.as_str(), priority.number(), on_delay.as_micros(), momentary, task);
    // What follows from priority and moment was never written down, and still is not.
    let eager = (rule.eager != eager_by_default(*priority)).then_some(rule.eager);
    let when_late = Some(rule.when_late).filter(|told| *told != when_late_by_default(*priority, *momentary));
    let otherwise =
        if eager.is_some() || when_late.is_some() { format!(" {eager:?} {when_late:?}") } else { String::new() };
    let shadow = if rule.shadow { " shadow" } else { "" };
    RuleVersion(fingerprint(&format!("{decides:?} {when:?} {unless:?} {normal_when:?}{otherwise}{shadow}")))
}

fn conditions(found: &Found<'_>, kind: Option<&AssetKind>, vocabulary: &Vocabulary) -> Option<Lowered> {
    let Some((kind, properties)) = kind.and_then(|kind| Some((kind, vocabulary.properties(kind)?))) else {
        // Without a kind no name can be checked; the syntax still can.
        [&found.when, &found.unless, &found.normal_when].into_iter().flatten().for_each(check_syntax);
        return None;
    };
    let mut lowering = Lowering::new(kind, properties, vocabulary);
    let mut lowered = |text: &Option<Written<'_>>| text.as_ref().and_then(|text| lower(&mut lowering, text));
    let (when, unless, normal_when) = (lowered(&found.when), lowered(&found.unless), lowered(&found.normal_when));
    let calls = lowering.calls.into_boxed_slice();
    let mut reads = Reads::default();
    for condition in [&when, &unless, &normal_when].into_iter().flatten() {
        condition.reads(&calls, &mut reads);
    }
    let reads_calendars = calls.iter().any(|call| call.operation.reads_calendars());
    let reads_silence = calls.iter().any(|call| call.operation == Operation::Silent);
    Some(Lowered { when: when?, unless, normal_when, calls, reads: reads.into_slots(), reads_silence, reads_calendars })
}

fn kind(field: &Field<'_>, vocabulary: &Vocabulary) -> Option<AssetKind> {
    let kind = AssetKind::new(name(field)?);
    if vocabulary.properties(&kind).is_none() && !vocabulary.may_lack_kinds() {
        field.fault(
            format!("no sensor type measures an asset of kind `{kind}`"),
            suggest_known(kind.as_str(), vocabulary.kinds().map(AssetKind::as_str)),
        );
    }
    Some(kind)
}

fn priority(field: &Field<'_>) -> Option<Priority> {
    let number = field.whole(1..=4)?;
    u8::try_from(number).ok().and_then(Priority::from_number)
}

/// What needs a person at once does not wait for values that may still come.
fn eager_by_default(priority: Priority) -> bool {
    priority == Priority::P1
}

/// A press is a press, also when it is late.
const fn when_late_by_default(priority: Priority, momentary: bool) -> WhenLate {
    if momentary || priority.number() <= 2 { WhenLate::Raise } else { WhenLate::Ignore }
}

fn eager(field: &Field<'_>, priority: Option<Priority>) -> Option<bool> {
    let eager = field.boolean()?;
    if !eager && priority.is_some_and(eager_by_default) {
        field.fault(
            "a rule of priority 1 decides when a value arrives, so it cannot be told to wait".to_owned(),
            "leave out `eager`, or give the rule another priority".to_owned(),
        );
    }
    Some(eager)
}

fn when_late(field: &Field<'_>) -> Option<WhenLate> {
    const KNOWN: [WhenLate; 2] = [WhenLate::Ignore, WhenLate::Raise];
    field.one_of(&KNOWN.map(WhenLate::as_str)).map(|index| KNOWN[index])
}

/// A moment has passed at once: there is no condition left that could return to normal.
fn momentary(field: &Field<'_>, has_normal_when: bool) -> Option<bool> {
    let momentary = field.boolean()?;
    if momentary && has_normal_when {
        field.fault(
            "a `momentary` rule returns to normal at once, so its `normal_when` would never be asked".to_owned(),
            "leave out `normal_when`, or `momentary`".to_owned(),
        );
    }
    Some(momentary)
}

fn task(mut section: Section<'_>) -> Option<TaskTemplate> {
    let kind = section.required("kind", "kind = \"empty-bin\"").and_then(|field| name(&field));
    let skill = section.required("skill", "skill = \"waste\"").and_then(|field| name(&field));
    section.finish();
    Some(TaskTemplate { kind: kind?, skill: Skill::new(skill?) })
}

fn rationale(section: &mut Section<'_>) -> Option<Rationalisation> {
    let mut text = |key: &str, example: &str| {
        let example = format!("{key} = {{ en = \"{example}\", da = \"…\" }}");
        bilingual(section.required_section(key, &example)?)
    };
    let cause = text("cause", "The bin is nearly full");
    let consequence = text("consequence", "Waste is left beside the bin");
    let response = text("response", "Empty the bin");
    let owner = section.required("owner", "owner = \"waste-operations\"").and_then(|field| name(&field));
    let respond_within = section
        .required("respond_within", "respond_within = \"24h\"")
        .and_then(|field| field.length_of_time(RESPOND_WITHIN));
    Some(Rationalisation {
        cause: cause?,
        consequence: consequence?,
        response: response?,
        owner: owner?,
        respond_within: respond_within?,
    })
}

fn bilingual(mut section: Section<'_>) -> Option<Text> {
    let mut read = |key: &str| {
        let field = section.required(key, &format!("{key} = \"…\""))?;
        Some(field.filled_text(RATIONALE_BYTES_MAX)?.value.into_owned())
    };
    let (en, da) = (read("en"), read("da"));
    section.finish();
    Some(Text { en: en?, da: da? })
}

fn name(field: &Field<'_>) -> Option<SmolStr> {
    field.machine_name(NAME_BYTES_MAX, "bin-full")
}
