//! One value of every variant that a record can hold, and the proof that none is missing.
//!
//! A variant added to the domain does not compile before it has a name here, and has no golden file before it has a
//! sample here.

use crate::domain::alarm::{Cause, Priority};
use crate::domain::asset::{Asset, Device, Position, Property, PropertyKind, SensorType};
use crate::domain::calendar::{Calendars, Day, DayKind, Route, Shift, Weekday, Window};
use crate::domain::configuration::{Configuration, DispatchPolicy, Mandate};
use crate::domain::crew::Crew;
use crate::domain::decision::{Decision, Delivery, DeliveryEnd, Effect, Fact, Notice, Seen, TaskMessage};
use crate::domain::event::{
    Answer, Command, CommandKind, Deadline, DeadlineReason, DeliveryOutcome, Event, ProposedRules, Quarantined,
    Receipt, RegistryChange, Reply, TurnedBy,
};
use crate::domain::ids::{
    AlarmId, ConfigurationVersion, ContentHash, DeliveryId, PersonId, PropertyName, RuleVersion, RulesVersion, Seq,
    TaskId,
};
use crate::domain::observation::{Finite, Identity, Observation, Observed, Quality, Value};
use crate::domain::person::{Basis, Person, Purpose};
use crate::domain::reason::{QuarantineReason, Refusal, RuleBecame, RulesRejected, Verdict};
use crate::domain::task::{CancelReason, RejectReason, TaskStage};
use crate::domain::time::{Span, Timestamp};
use crate::domain::uplink::Ingress;
use bytes::Bytes;
use smol_str::SmolStr;
use std::collections::{BTreeMap, BTreeSet};

/// Every sample: the name of its golden file, an event, and what was decided.
pub fn all() -> Vec<(String, Event, Decision)> {
    let mut samples: Vec<_> =
        events().into_iter().map(|(name, event)| (name, event, decision(Verdict::Accepted))).collect();
    for (name, event) in [("observed", observed(values())), ("quarantined", quarantined())] {
        let subject = Some(PersonId::new("person-4711"));
        samples.push((format!("sealed-{name}"), event, Decision { subject, ..decision(Verdict::Accepted) }));
    }
    for fact in facts() {
        let name = format!("fact-{}", fact_name(&fact));
        samples.push((name, Event::Started, Decision { facts: vec![fact], ..decision(Verdict::Accepted) }));
    }
    for (name, notice) in notices() {
        let effects = vec![Effect::Deliver(delivery(notice))];
        samples.push((format!("effect-{name}"), Event::Started, Decision { effects, ..decision(Verdict::Accepted) }));
    }
    for (name, verdict) in verdicts() {
        samples.push((format!("verdict-{name}"), Event::Started, decision(verdict)));
    }
    samples
}

const SEQ: Seq = Seq(4_711);

fn decision(verdict: Verdict) -> Decision {
    Decision { seq: SEQ, verdict, subject: None, facts: Vec::new(), effects: Vec::new() }
}

const NOON: Timestamp = Timestamp::from_micros(1_790_000_000_000_000);

fn ingress() -> Ingress {
    Ingress {
        client: "gateway-1".into(),
        connection: 17,
        packet: Some(42),
        duplicate_flag: false,
        content: ContentHash(*b"sixteen of bytes"),
    }
}

fn values() -> Vec<Value> {
    vec![Value::Number(Finite::new(81.5).unwrap()), Value::Boolean(true), Value::Text("lid open".into())]
}

fn observed(values: Vec<Value>) -> Event {
    let observation = |(at, value)| Observation {
        property: PropertyName::new(["fill", "lid", "note"][at]),
        value,
        unit: SmolStr::new(["%", "", ""][at]),
        quality: [Quality::Accepted, Quality::Unchecked, Quality::Suspicious][at],
        observed_at: NOON,
    };
    Event::Observed(Observed {
        device: "bin-7-sensor".into(),
        identity: Identity::Network("24e124713d493245/118/85".into()),
        ingress: ingress(),
        received_at: NOON + Span::from_millis(180),
        clock_ahead: None,
        observations: values.into_iter().enumerate().map(observation).collect(),
        redacted: vec!["pressure_sacrum".into()],
        exercise: false,
    })
}

fn observed_otherwise(identity: Identity) -> Event {
    let ingress = Ingress { packet: None, duplicate_flag: true, ..ingress() };
    Event::Observed(Observed {
        device: "bed-3-mat".into(),
        identity,
        ingress,
        received_at: NOON,
        clock_ahead: Some(Span::from_hours(2)),
        observations: Vec::new(),
        redacted: Vec::new(),
        exercise: true,
    })
}

fn quarantined() -> Event {
    Event::Quarantined(Quarantined {
        reason: QuarantineReason::Unparsable,
        detail: "expected a value at byte 12".into(),
        topic: "rettidig/v1/up/bin-7-sensor".into(),
        device: Some("bin-7-sensor".into()),
        ingress: ingress(),
        received_at: NOON,
        head: Bytes::from_static(b"{\"fill\": \xff"),
        length: 4_096,
    })
}

fn events() -> Vec<(String, Event)> {
    let mut events = vec![
        ("observed".to_owned(), observed(values())),
        ("observed-device-time".to_owned(), observed_otherwise(Identity::DeviceTime(NOON))),
        ("observed-redelivery".to_owned(), observed_otherwise(Identity::Redelivery)),
        ("quarantined".to_owned(), quarantined()),
        ("configured".to_owned(), Event::Configured(Box::new(configuration()))),
        (
            "configured-with-calendars".to_owned(),
            Event::Configured(Box::new(Configuration { calendars: calendars(), ..configuration() })),
        ),
        (
            "configured-by-two".to_owned(),
            Event::Configured(Box::new(Configuration { mandate: mandate(), ..configuration() })),
        ),
        ("configured-with-lateness".to_owned(), Event::Configured(Box::new(late()))),
        ("expanded".to_owned(), Event::Expanded { version: configuration().version, calendars: Box::new(calendars()) }),
        ("registered".to_owned(), Event::Registered(changes())),
        ("started".to_owned(), Event::Started),
        ("released".to_owned(), Event::Released { through: Seq(4_710), undelivered: vec![Seq(4_700), Seq(4_708)] }),
        ("erased".to_owned(), Event::Erased { person: PersonId::new("person-4711") }),
    ];
    let answers = [
        ("accepted", Answer::Accepted),
        ("rejected", Answer::Rejected(RejectReason::TooFar)),
        ("en-route", Answer::EnRoute),
        ("on-site", Answer::OnSite),
        ("completed", Answer::Completed),
    ];
    for (name, answer) in answers {
        let reply = Reply { crew: "crew-2".into(), task: TaskId(9), answer, ingress: ingress(), received_at: NOON };
        events.push((format!("replied-{name}"), Event::Replied(reply)));
    }
    let outcomes = [
        ("handed-over", DeliveryOutcome::HandedOver),
        ("delivered", DeliveryOutcome::Delivered),
        ("seen", DeliveryOutcome::Seen),
    ];
    for (name, outcome) in outcomes {
        events.push((format!("receipt-{name}"), Event::Receipt(Receipt { delivery: key(), outcome, at: NOON })));
    }
    let commands = [
        ("acknowledge-alarm", CommandKind::AcknowledgeAlarm(AlarmId(3))),
        ("cancel-task", CommandKind::CancelTask(TaskId(9))),
        ("propose-rules", CommandKind::ProposeRules(proposed())),
        ("reject-rules", CommandKind::RejectRules { version: proposed().version, reason: RulesRejected::NotTested }),
    ];
    for (name, kind) in commands {
        let command = Command { id: "click-1".into(), account: "ida".into(), kind };
        events.push((format!("commanded-{name}"), Event::Commanded(command)));
    }
    let turns = |by| DeadlineReason::Turns { rule: "full".into(), asset: "bin-7".into(), node: 1, by };
    let deadlines = [
        ("on-delay", DeadlineReason::OnDelay { rule: "full".into(), asset: "bin-7".into() }),
        ("held", turns(TurnedBy::Held)),
        ("window", turns(TurnedBy::Window)),
        ("sequence", turns(TurnedBy::Sequence)),
        ("age", turns(TurnedBy::Age)),
        ("shift", turns(TurnedBy::Shift)),
        ("service", turns(TurnedBy::Service)),
        ("change", turns(TurnedBy::Change)),
        ("estimate", turns(TurnedBy::Estimate)),
        ("silent", DeadlineReason::Silent { device: "bin-7-sensor".into() }),
        ("offer-expired", DeadlineReason::OfferExpired { task: TaskId(9) }),
        ("retry-task", DeadlineReason::RetryTask { task: TaskId(9) }),
        ("delivery-expires", DeadlineReason::DeliveryExpires { delivery: key() }),
        ("calendars-end", DeadlineReason::CalendarsEnd),
    ];
    events.extend(deadlines.map(|(name, why)| (format!("due-{name}"), Event::Due(Deadline { at: NOON, why }))));
    events
}

fn key() -> DeliveryId {
    DeliveryId { seq: Seq(4_700), n: 2 }
}

fn late() -> Configuration {
    let mut late = configuration();
    late.sensor_types.values_mut().for_each(|known| known.lateness = Span::from_hours(6));
    late
}

fn configuration() -> Configuration {
    let property = |kind, unit: &str, range, purpose| Property { kind, unit: unit.into(), range, purpose };
    let sensor_type = SensorType {
        id: "mat-10".into(),
        asset_kind: "bed".into(),
        interval: Span::from_mins(5),
        lateness: Span::ZERO,
        properties: BTreeMap::from([
            ("occupied".into(), property(PropertyKind::Boolean, "", None, Some(Purpose::Presence))),
            (
                "pressure_sacrum".into(),
                property(PropertyKind::Number, "mm[Hg]", Some((0.0, 300.0)), Some(Purpose::Exposure)),
            ),
            ("state".into(), property(PropertyKind::Text, "", None, None)),
        ]),
    };
    Configuration {
        version: ConfigurationVersion(*b"version of rules"),
        sensor_types: BTreeMap::from([(sensor_type.id.clone(), sensor_type)]),
        rule_files: BTreeMap::from([("waste.toml".into(), "[[rule]]\nid = \"full\"\n".to_owned())]),
        dispatch: DispatchPolicy::default(),
        calendars: Calendars::default(),
        mandate: Mandate::default(),
    }
}

fn mandate() -> Mandate {
    Mandate {
        by: Some("ida".into()),
        approved_by: Some("ole".into()),
        in_place_of: Some(RulesVersion(*b"the rules before")),
    }
}

fn proposed() -> ProposedRules {
    let version = RulesVersion(*b"rules that wait.");
    let changes = vec![
        ("full".into(), RuleBecame::Changed),
        ("gone".into(), RuleBecame::Removed),
        ("tilted".into(), RuleBecame::New),
    ];
    ProposedRules { version, changes, further: 7 }
}

fn calendars() -> Calendars {
    let hours = |hours| NOON + Span::from_hours(hours);
    let window = |from, until| Window { from: hours(from), until: hours(until) };
    let day = |number: i64, kind, name: Option<&str>| Day {
        from: hours(number * 24),
        weekday: Weekday::ALL[number as usize],
        kind,
        name: name.map(Into::into),
    };
    Calendars {
        covers: window(0, 168),
        renew_at: hours(100),
        time_zone: "Europe/Copenhagen".into(),
        days: vec![
            day(0, DayKind::Workday, None),
            day(1, DayKind::HalfDay { free_from: hours(36) }, Some("christmas-eve")),
            day(2, DayKind::Holiday, Some("christmas-day")),
            day(3, DayKind::Workday, None),
            day(4, DayKind::Workday, None),
            day(5, DayKind::Weekend, None),
            day(6, DayKind::Weekend, None),
        ],
        shifts: vec![
            Shift { name: "empty".into(), windows: Vec::new() },
            Shift { name: "night".into(), windows: vec![window(-1, 7), window(23, 31)] },
        ],
        routes: vec![Route { name: "north".into(), services: vec![hours(6), hours(78)] }],
        default_routes: BTreeMap::from([("bin".into(), "north".into())]),
    }
}

fn changes() -> Vec<RegistryChange> {
    let basis = |purpose| Basis { purpose, starts_at: NOON, review_at: NOON + Span::from_hours(24 * 90) };
    vec![
        RegistryChange::PutAsset(Asset {
            id: "bed-3".into(),
            kind: "bed".into(),
            area: Some("north".into()),
            position: Some(Position { latitude: 55.6761, longitude: 12.5683 }),
            person: Some("person-4711".into()),
            attributes: BTreeMap::from([("ward".into(), Value::Text("2".into()))]),
        }),
        RegistryChange::PutDevice(Device {
            id: "bed-3-mat".into(),
            sensor_type: "mat-10".into(),
            asset: "bed-3".into(),
            mounting: BTreeMap::from([("d_empty_mm".into(), Value::Number(Finite::new(1_200.0).unwrap()))]),
        }),
        RegistryChange::PutCrew(Crew {
            id: "crew-2".into(),
            skills: BTreeSet::from(["care".into(), "waste".into()]),
            areas: BTreeSet::from(["north".into()]),
        }),
        RegistryChange::PutPerson(Person { id: "person-4711".into(), bases: Purpose::ALL.map(basis).to_vec() }),
        RegistryChange::RemoveAsset("bed-1".into()),
        RegistryChange::RemoveDevice("bed-1-mat".into()),
        RegistryChange::RemoveCrew("crew-9".into()),
        RegistryChange::RemovePerson("person-1".into()),
    ]
}

fn cause() -> Cause {
    Cause {
        device: Some("bin-7-sensor".into()),
        observed_at: NOON,
        event: SEQ,
        exercise: true,
        rule_version: None,
        late: None,
    }
}

pub fn facts() -> Vec<Fact> {
    let (rule, asset) = (|| "full".into(), || "bin-7".into());
    let (task, alarm) = (TaskId(9), AlarmId(3));
    let crew = || "crew-2".into();
    let absent = Cause { device: None, ..cause() };
    vec![
        Fact::DelayStarted { rule: rule(), asset: asset(), due: NOON, cause: cause() },
        Fact::DelayCancelled { rule: rule(), asset: asset() },
        Fact::AlarmRaised { alarm, rule: rule(), asset: asset(), priority: Priority::P2, cause: absent },
        Fact::AlarmRaised {
            alarm,
            rule: rule(),
            asset: asset(),
            priority: Priority::P2,
            cause: Cause { rule_version: Some(RuleVersion(0x0123_4567_89ab_cdef)), ..cause() },
        },
        Fact::AlarmRaised {
            alarm,
            rule: rule(),
            asset: asset(),
            priority: Priority::P2,
            cause: Cause { late: Some(Span::from_hours(2)), ..cause() },
        },
        Fact::AlarmReactivated { alarm, cause: cause() },
        Fact::ReturnedToNormal { alarm, observed_at: None },
        Fact::ReturnedToNormal { alarm, observed_at: Some(NOON) },
        Fact::Acknowledged { alarm, by: Seen::Account("ida".into()) },
        Fact::Acknowledged { alarm, by: Seen::Crew(crew()) },
        Fact::AlarmClosed { alarm },
        Fact::TaskRequested { task, alarm, kind: "empty-bin".into(), skill: "waste".into() },
        Fact::TaskOffered { task, crew: crew(), expires_at: NOON, delivery: key() },
        Fact::TaskWaiting { task, retry_at: NOON },
        Fact::OfferExpired { task, crew: crew() },
        Fact::TaskRejected { task, crew: crew(), reason: RejectReason::Busy },
        Fact::TaskAccepted { task, crew: crew() },
        Fact::TaskStage { task, stage: TaskStage::OnSite },
        Fact::TaskCompleted { task },
        Fact::TaskCancelled { task, reason: CancelReason::SolvedBeforeArrival },
        Fact::DeliveryEnded { delivery: key(), end: DeliveryEnd::Delivered },
        Fact::DeviceSilent { device: "bin-7-sensor".into() },
        Fact::DeviceHeard { device: "bin-7-sensor".into() },
        Fact::DeviceClockAhead { device: "bin-7-sensor".into(), by: Span::from_mins(7) },
        Fact::MeasuredLate { device: "bin-7-sensor".into(), values: 3, by: Span::from_hours(2) },
        Fact::ReleasedEarly { asset: asset(), values: 4 },
        Fact::ShadowRaised { rule: rule(), asset: asset(), cause: cause() },
        Fact::ShadowEnded { rule: rule(), asset: asset() },
    ]
}

/// How many variants [`Fact`] has; it grows together with [`fact_name`].
pub const FACT_VARIANTS: usize = 24;

pub fn fact_name(fact: &Fact) -> &'static str {
    match fact {
        Fact::DelayStarted { .. } => "delay-started",
        Fact::DelayCancelled { .. } => "delay-cancelled",
        Fact::AlarmRaised { cause: Cause { rule_version: Some(_), .. }, .. } => "alarm-raised-by-version",
        Fact::AlarmRaised { cause: Cause { late: Some(_), .. }, .. } => "alarm-raised-late",
        Fact::AlarmRaised { .. } => "alarm-raised",
        Fact::AlarmReactivated { .. } => "alarm-reactivated",
        Fact::ReturnedToNormal { observed_at: Some(_), .. } => "returned-to-normal-at",
        Fact::ReturnedToNormal { .. } => "returned-to-normal",
        Fact::Acknowledged { by: Seen::Account(_), .. } => "acknowledged-by-account",
        Fact::Acknowledged { by: Seen::Crew(_), .. } => "acknowledged-by-crew",
        Fact::AlarmClosed { .. } => "alarm-closed",
        Fact::TaskRequested { .. } => "task-requested",
        Fact::TaskOffered { .. } => "task-offered",
        Fact::TaskWaiting { .. } => "task-waiting",
        Fact::OfferExpired { .. } => "offer-expired",
        Fact::TaskRejected { .. } => "task-rejected",
        Fact::TaskAccepted { .. } => "task-accepted",
        Fact::TaskStage { .. } => "task-stage",
        Fact::TaskCompleted { .. } => "task-completed",
        Fact::TaskCancelled { .. } => "task-cancelled",
        Fact::DeliveryEnded { .. } => "delivery-ended",
        Fact::DeviceSilent { .. } => "device-silent",
        Fact::DeviceHeard { .. } => "device-heard",
        Fact::DeviceClockAhead { .. } => "device-clock-ahead",
        Fact::MeasuredLate { .. } => "measured-late",
        Fact::ReleasedEarly { .. } => "released-early",
        Fact::ShadowRaised { .. } => "shadow-raised",
        Fact::ShadowEnded { .. } => "shadow-ended",
    }
}

/// How many variants [`Event`] has; it grows together with [`event_name`].
pub const EVENT_VARIANTS: usize = 12;

pub fn event_name(event: &Event) -> &'static str {
    match event {
        Event::Observed(_) => "observed",
        Event::Quarantined(_) => "quarantined",
        Event::Replied(_) => "replied",
        Event::Receipt(_) => "receipt",
        Event::Commanded(_) => "commanded",
        Event::Registered(_) => "registered",
        Event::Configured(_) => "configured",
        Event::Due(_) => "due",
        Event::Started => "started",
        Event::Released { .. } => "released",
        Event::Erased { .. } => "erased",
        Event::Expanded { .. } => "expanded",
    }
}

fn delivery(notice: Notice) -> Delivery {
    Delivery {
        id: key(),
        crew: "crew-2".into(),
        message: TaskMessage {
            notice,
            task: TaskId(9),
            alarm: AlarmId(3),
            kind: "empty-bin".into(),
            priority: Priority::P3,
            asset: "bin-7".into(),
            device: Some("bin-7-sensor".into()),
            observed_at: NOON,
            caused_by: SEQ,
            exercise: false,
        },
        expires_at: NOON + Span::from_mins(10),
    }
}

fn notices() -> [(&'static str, Notice); 3] {
    [
        ("deliver-offered", Notice::Offered),
        ("deliver-withdrawn", Notice::Withdrawn),
        ("deliver-cancelled", Notice::Cancelled(CancelReason::Operator)),
    ]
}

fn verdicts() -> [(&'static str, Verdict); 5] {
    [
        ("accepted", Verdict::Accepted),
        ("duplicate", Verdict::Duplicate { of: Seq(4_000) }),
        ("redacted", Verdict::Redacted),
        ("quarantined", Verdict::Quarantined(QuarantineReason::Poison)),
        ("refused", Verdict::Refused(Refusal::AlreadyClosed)),
    ]
}
