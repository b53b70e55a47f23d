//! The language of scenarios, one happening a line:
//!
//! ```text
//! rule hot for room: when = 'temperature > 30'; momentary = true   before everything: one rule more
//! at 10:00 rule hot for room: when = 'temperature > 25'   … or later: the same rule, changed
//! lateness 1h for room              before everything: its sensors may be an hour late
//! shift night 22:00-30:00            before everything: a shift on each of ten days
//! service at 07:00                   … and when rooms and bins are served
//! at 10:00 room-1 temperature=31 door=open   several values in one message
//! at 10:00 bin-1 fill=0.9            its sensor reports (observed now, arriving now)
//! at 10:00 bin-1 fill=0.9 observed 08:00   … measured earlier
//! at 10:00 bin-1 fill=0.9 id=17      … with the network's own id
//! at 10:00 bed-1 press=1 packet=4 connection=2 dup   … as MQTT brought it
//! at 10:01 crew-a accepted 1         a crew answers task 1 (accepted, rejected, en-route, on-site, completed)
//! at 10:02 operator acknowledges 1   an operator acknowledges alarm 1
//! at 10:02 operator cancels 1        … cancels task 1
//! at 10:03 delivered                 crews' clients confirm everything pending
//! at 10:03 released                  all acknowledgements so far have left
//! at 10:03 released without 4         … but for that of record 4, whose connection was gone
//! at 10:04 gateway starts            after having been away
//! at 10:05 forget bin-1              the asset and its device leave the registry
//! at 10:06 configuration prompt      no sensor is late from here on
//! at 10:06 configuration brisk       bins are to speak every hour (usual: every ten)
//! at 10:06 configuration broken      … whose rules cannot be read
//! until 12:00                        time passes; deadlines fire
//! ```

use super::super::Engine;
use crate::domain::asset::{Asset, Device, Property, PropertyKind, SensorType};
use crate::domain::calendar::{Calendars, Day, DayKind, Route, Shift, Weekday, Window};
use crate::domain::configuration::{Configuration, DispatchPolicy, Mandate};
use crate::domain::crew::Crew;
use crate::domain::decision::{Decision, Effect};
use crate::domain::event::{
    Answer, Command, CommandKind, DeadlineReason, DeliveryOutcome, Event, Receipt, RegistryChange, Reply,
};
use crate::domain::ids::{
    AlarmId, AreaId, AssetId, AssetKind, CommandId, ConfigurationVersion, ContentHash, CrewId, DeliveryId, DeviceId,
    PersonId, PropertyName, SensorTypeId, Seq, Skill, TaskId,
};
use crate::domain::observation::{Finite, Identity, Observation, Observed, Quality, Value};
use crate::domain::person::{Basis, Person, Purpose};
use crate::domain::task::RejectReason;
use crate::domain::time::{Span, Timestamp};
use crate::domain::uplink::Ingress;
use std::collections::{BTreeMap, VecDeque};

const RULES: &str = include_str!("rules.toml");

pub(super) struct Script {
    configuration: Configuration,
    lines: VecDeque<String>,
    waiting: VecDeque<(Timestamp, Event)>,
    now: Timestamp,
    seq: Seq,
    commands: u32,
    pending: Vec<DeliveryId>,
}

impl Script {
    pub fn new(text: &str) -> Self {
        let now = at("00:00");
        let mut configuration = configuration();
        let told = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        let setting =
            |line: &&str| ["rule ", "shift ", "service ", "lateness "].iter().any(|word| line.starts_with(word));
        let (setting, lines): (Vec<_>, Vec<_>) = told.partition(setting);
        for line in setting {
            match line.split_whitespace().collect::<Vec<_>>()[..] {
                ["shift", name, hours] => put_shift(&mut configuration.calendars, name, hours),
                ["service", "at", time] => put_service(&mut configuration.calendars, time),
                ["lateness", span, "for", kind] => put_lateness(&mut configuration, span, kind),
                _ => put_rule(&mut configuration, line),
            }
        }
        let configured = Event::Configured(Box::new(configuration.clone()));
        let waiting = [configured, Event::Registered(registry()), Event::Started];
        Self {
            configuration,
            lines: lines.into_iter().map(str::to_owned).collect(),
            waiting: waiting.into_iter().map(|event| (now, event)).collect(),
            now,
            seq: Seq(0),
            commands: 0,
            pending: Vec::new(),
        }
    }

    /// The next event: a deadline that comes first, or what the next line says.
    pub fn next(&mut self, engine: &mut Engine) -> Option<(Timestamp, Event)> {
        loop {
            let until = self.waiting.front().map(|(at, _)| *at).or_else(|| self.peek_time());
            let due = engine.next_deadline().filter(|deadline| until.is_some_and(|until| deadline.at <= until));
            if let Some(deadline) = due {
                self.now = self.now.max(deadline.at);
                return Some((self.now, Event::Due(deadline)));
            }
            if let Some(next) = self.waiting.pop_front() {
                self.now = next.0;
                return Some(next);
            }
            let line = self.lines.pop_front()?;
            self.read(&line);
        }
    }

    pub fn learn(&mut self, decision: &Decision) {
        self.seq = decision.seq;
        for Effect::Deliver(delivery) in &decision.effects {
            self.pending.push(delivery.id);
        }
    }

    /// Setting the scene is not part of the story.
    pub fn is_told(&self, event: &Event) -> bool {
        !matches!(event, Event::Configured(_) | Event::Released { .. }) && self.seq.0 > 3
    }

    fn peek_time(&self) -> Option<Timestamp> {
        self.lines.iter().find_map(|line| line.split_whitespace().nth(1).map(at))
    }

    fn read(&mut self, line: &str) {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["until", time] => self.now = at(time),
            ["at", time, "rule", ..] => {
                put_rule(&mut self.configuration, &line[line.find("rule").expect("just seen")..]);
                self.configuration.version.0[0] += 1;
                self.waiting.push_back((at(time), Event::Configured(Box::new(self.configuration.clone()))));
            }
            ["at", time, who, what @ ..] => {
                let now = at(time);
                let events = self.events(now, who, what);
                self.waiting.extend(events.into_iter().map(|event| (now, event)));
            }
            _ => panic!("not understood: {line:?}"),
        }
    }

    fn events(&mut self, now: Timestamp, who: &str, what: &[&str]) -> Vec<Event> {
        match (who, what) {
            ("delivered", []) => self.pending.drain(..).map(|delivery| receipt(delivery, now)).collect(),
            ("released", ["without", seq]) => {
                vec![Event::Released { through: self.seq, undelivered: vec![Seq(number(seq))] }]
            }
            ("released", []) => vec![Event::Released { through: self.seq, undelivered: Vec::new() }],
            ("gateway", ["starts"]) => vec![Event::Started],
            ("configuration", ["prompt"]) => {
                let types = self.configuration.sensor_types.values_mut();
                types.for_each(|known| known.lateness = Span::ZERO);
                self.configuration.version.0[0] += 1;
                vec![Event::Configured(Box::new(self.configuration.clone()))]
            }
            ("configuration", [which]) => vec![Event::Configured(Box::new(changed(which)))],
            ("forget", [asset]) => vec![Event::Registered(vec![
                RegistryChange::RemoveDevice(DeviceId::new(format!("{asset}-sensor"))),
                RegistryChange::RemoveAsset(AssetId::new(asset)),
            ])],
            ("operator", ["acknowledges", alarm]) => {
                self.command(CommandKind::AcknowledgeAlarm(AlarmId(number(alarm))))
            }
            ("operator", ["cancels", task]) => self.command(CommandKind::CancelTask(TaskId(number(task)))),
            (crew, [answer, task]) if crew.starts_with("crew-") => vec![reply(now, crew, answer, task)],
            (asset, [first, rest @ ..]) => vec![observed(now, asset, first, rest)],
            (_, []) => panic!("{who} does nothing"),
        }
    }

    fn command(&mut self, kind: CommandKind) -> Vec<Event> {
        self.commands += 1;
        let id = CommandId::new(format!("command-{}", self.commands));
        vec![Event::Commanded(Command { id, account: "operator".into(), kind })]
    }
}

fn observed(now: Timestamp, asset: &str, first: &str, rest: &[&str]) -> Event {
    let mut values = vec![first.split_once('=').expect("property=value")];
    let mut observed_at = now;
    let mut identity = Identity::Redelivery;
    let mut ingress = Ingress {
        client: asset.into(),
        connection: 1,
        packet: Some(1),
        duplicate_flag: false,
        content: content(&said(first, rest)),
    };
    let mut exercise = false;
    let mut words = rest.iter();
    while let Some(word) = words.next() {
        match word.split_once('=') {
            Some(("id", id)) => identity = Identity::Network(id.into()),
            Some(("packet", packet)) => ingress.packet = Some(packet.parse().expect("a packet id")),
            Some(("connection", connection)) => ingress.connection = number(connection),
            None if *word == "observed" => {
                observed_at = at(words.next().expect("a time"));
                identity = Identity::DeviceTime(observed_at);
            }
            None if *word == "dup" => ingress.duplicate_flag = true,
            None if *word == "exercise" => exercise = true,
            Some(value) => values.push(value),
            None => panic!("not understood: {word:?}"),
        }
    }
    Event::Observed(Observed {
        device: DeviceId::new(format!("{asset}-sensor")),
        identity,
        ingress,
        received_at: now,
        clock_ahead: None,
        observations: values.into_iter().map(|value| observation(value, observed_at)).collect(),
        redacted: Vec::new(),
        exercise,
    })
}

fn observation((property, value): (&str, &str), observed_at: Timestamp) -> Observation {
    let value = match (value, value.parse().ok().and_then(Finite::new)) {
        ("true", _) => Value::Boolean(true),
        ("false", _) => Value::Boolean(false),
        (_, Some(number)) => Value::Number(number),
        (text, None) => Value::Text(text.into()),
    };
    let (property, unit, quality) = (PropertyName::new(property), "".into(), Quality::Accepted);
    Observation { property, value, unit, quality, observed_at }
}

/// What the payload would hold: the value, and the message's name or time if it has one.
fn said(first: &str, rest: &[&str]) -> String {
    let about_transport =
        |word: &&&str| **word == "dup" || word.starts_with("packet=") || word.starts_with("connection=");
    rest.iter().filter(|word| !about_transport(word)).fold(first.to_owned(), |text, word| text + " " + word)
}

fn content(text: &str) -> ContentHash {
    let mut bytes = [0; 16];
    for (index, byte) in text.bytes().enumerate() {
        bytes[index % 16] ^= byte.rotate_left(u32::try_from(index / 16).unwrap_or(0));
    }
    ContentHash(bytes)
}

fn reply(now: Timestamp, crew: &str, answer: &str, task: &str) -> Event {
    let answer = match answer {
        "accepted" => Answer::Accepted,
        "rejected" => Answer::Rejected(RejectReason::Busy),
        "en-route" => Answer::EnRoute,
        "on-site" => Answer::OnSite,
        "completed" => Answer::Completed,
        other => panic!("no crew says {other:?}"),
    };
    let ingress =
        Ingress { client: crew.into(), connection: 1, packet: None, duplicate_flag: false, content: content(task) };
    Event::Replied(Reply { crew: crew.into(), task: TaskId(number(task)), answer, ingress, received_at: now })
}

fn receipt(delivery: DeliveryId, at: Timestamp) -> Event {
    Event::Receipt(Receipt { delivery, outcome: DeliveryOutcome::Delivered, at })
}

fn number(text: &str) -> u64 {
    text.parse().expect("a number")
}

/// `hh:mm` or `hh:mm:ss`; hours may go on past 24.
fn at(text: &str) -> Timestamp {
    let parts: Vec<i64> = text.split(':').map(|part| part.parse().expect("a time")).collect();
    let seconds = parts[0] * 3_600 + parts[1] * 60 + parts.get(2).copied().unwrap_or(0);
    Timestamp::from_micros(0) + Span::from_secs(seconds)
}

pub(super) fn clock_text(at: Timestamp) -> String {
    let seconds = at.as_micros() / 1_000_000;
    let (hours, minutes, rest) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    if rest == 0 { format!("{hours:02}:{minutes:02}") } else { format!("{hours:02}:{minutes:02}:{rest:02}") }
}

pub(super) fn event_text(event: &Event) -> String {
    match event {
        Event::Observed(observed) => {
            let values: Vec<_> = observed
                .observations
                .iter()
                .map(|observation| format!("{} {:?}", observation.property, observation.value))
                .collect();
            format!("{}: {}", observed.device, values.join(", "))
        }
        Event::Quarantined(_) => "quarantined".to_owned(),
        Event::Replied(reply) => format!("{} about task {}: {:?}", reply.crew, reply.task, reply.answer),
        Event::Receipt(_) => "receipt".to_owned(),
        Event::Commanded(command) => format!("{}: {:?}", command.account, command.kind),
        Event::Registered(changes) => format!("registry: {} changes", changes.len()),
        Event::Configured(_) => "configured".to_owned(),
        Event::Due(deadline) => match &deadline.why {
            DeadlineReason::OnDelay { rule, asset } => format!("due: on_delay of {rule} for {asset}"),
            DeadlineReason::Turns { rule, asset, by, .. } => {
                let by = format!("{by:?}").to_lowercase();
                format!("due: {by} in {rule} for {asset}")
            }
            DeadlineReason::Silent { device } => format!("due: silence of {device}"),
            DeadlineReason::OfferExpired { task } => format!("due: offer of task {task}"),
            DeadlineReason::RetryTask { task } => format!("due: retry of task {task}"),
            DeadlineReason::DeliveryExpires { .. } => "due: end of a delivery".to_owned(),
            DeadlineReason::CalendarsEnd => "due: end of the calendars".to_owned(),
        },
        Event::Started => "gateway started".to_owned(),
        Event::Released { .. } => "released".to_owned(),
        Event::Erased { .. } => "erased".to_owned(),
        Event::Expanded { .. } => "calendars expanded".to_owned(),
    }
}

pub(super) fn configuration() -> Configuration {
    let sensor =
        |id: &str, kind: &str, interval: Span, properties: &[(&str, PropertyKind, Option<Purpose>)]| SensorType {
            id: id.into(),
            asset_kind: kind.into(),
            interval,
            lateness: Span::ZERO,
            properties: properties
                .iter()
                .map(|(name, kind, purpose)| {
                    let unit = match *name {
                        "fill" => "1",
                        "pressure_sacrum" => "mm[Hg]",
                        _ => "",
                    };
                    let property = Property { kind: *kind, unit: unit.into(), range: None, purpose: *purpose };
                    (PropertyName::new(name), property)
                })
                .collect(),
        };
    let long = Span::from_hours(10);
    let types = [
        sensor(
            "bin-level",
            "bin",
            long,
            &[("fill", PropertyKind::Number, None), ("tilt", PropertyKind::Boolean, None)],
        ),
        sensor(
            "bed-mat",
            "bed",
            Span::from_hours(100),
            &[
                ("pressure", PropertyKind::Number, Some(Purpose::Exposure)),
                ("pressure_sacrum", PropertyKind::Number, Some(Purpose::Exposure)),
                ("press", PropertyKind::Number, Some(Purpose::Call)),
            ],
        ),
        sensor(
            "room-sensor",
            "room",
            Span::from_hours(1_000),
            &[
                ("temperature", PropertyKind::Number, None),
                ("press", PropertyKind::Number, None),
                ("moved", PropertyKind::Boolean, None),
                ("door", PropertyKind::Text, None),
            ],
        ),
    ];
    Configuration {
        version: ConfigurationVersion([1; 16]),
        sensor_types: types.into_iter().map(|known| (known.id.clone(), known)).collect(),
        rule_files: BTreeMap::from([("rules.toml".into(), RULES.to_owned())]),
        dispatch: DispatchPolicy::default(),
        calendars: Calendars::default(),
        mandate: Mandate::default(),
    }
}

fn cover_ten_days(calendars: &mut Calendars) {
    calendars.covers = Window { from: at("00:00"), until: at("240:00") };
    calendars.renew_at = at("144:00");
    let day = |n: i64| Day {
        from: at("00:00") + Span::from_hours(n * 24),
        weekday: Weekday::Monday,
        kind: DayKind::Workday,
        name: None,
    };
    calendars.days = (0..10).map(day).collect();
}

fn put_shift(calendars: &mut Calendars, name: &str, hours: &str) {
    cover_ten_days(calendars);
    let (from, until) = hours.split_once('-').expect("from-until");
    let on =
        |day| Window { from: at(from) + Span::from_hours(day * 24), until: at(until) + Span::from_hours(day * 24) };
    calendars.shifts.push(Shift { name: name.into(), windows: (0_i64..10).map(on).collect() });
}

fn put_service(calendars: &mut Calendars, time: &str) {
    cover_ten_days(calendars);
    let services = (0_i64..10).map(|day| at(time) + Span::from_hours(day * 24)).collect();
    calendars.routes.push(Route { name: "daily".into(), services });
    for kind in ["bin", "room"] {
        calendars.default_routes.insert(AssetKind::new(kind), "daily".into());
    }
}

fn put_lateness(configuration: &mut Configuration, span: &str, kind: &str) {
    for known in configuration.sensor_types.values_mut().filter(|known| known.asset_kind.as_str() == kind) {
        known.lateness = Span::parse(span).expect("a length of time");
    }
}

/// `rule NAME for KIND: lines of its table; between semicolons`
fn put_rule(configuration: &mut Configuration, line: &str) {
    let (head, table) = line.split_once(": ").expect("a rule");
    let [_, name, "for", kind] = head.split_whitespace().collect::<Vec<_>>()[..] else { panic!("no rule: {head:?}") };
    let text = format!(
        "[[rule]]\nid = '{name}'\napplies_to = '{kind}'\npriority = 3\nowner = 'o'\nrespond_within = '1d'\n\
         cause = {{ en = 'c', da = 'c' }}\nconsequence = {{ en = 'c', da = 'c' }}\nresponse = {{ en = 'r', da = 'r' }}\n{}\n",
        table.replace("; ", "\n"),
    );
    configuration.rule_files.insert(format!("{name}.toml").into(), text);
}

fn changed(which: &str) -> Configuration {
    let mut configuration = configuration();
    configuration.version = ConfigurationVersion([2; 16]);
    match which {
        "brisk" => {
            for known in configuration.sensor_types.values_mut() {
                known.interval = Span::from_hours(1);
            }
        }
        "broken" => {
            configuration.rule_files.insert("rules.toml".into(), "when = nobody knows".to_owned());
        }
        other => panic!("no such configuration: {other:?}"),
    }
    configuration
}

pub(super) fn registry() -> Vec<RegistryChange> {
    let asset = |id: &str, kind: &str, person: Option<&str>| {
        RegistryChange::PutAsset(Asset {
            id: id.into(),
            kind: AssetKind::new(kind),
            area: Some(AreaId::new("north")),
            position: None,
            person: person.map(PersonId::new),
            attributes: BTreeMap::new(),
        })
    };
    let device = |asset: &str, sensor_type: &str| {
        RegistryChange::PutDevice(Device {
            id: DeviceId::new(format!("{asset}-sensor")),
            sensor_type: SensorTypeId::new(sensor_type),
            asset: asset.into(),
            mounting: BTreeMap::new(),
        })
    };
    let crew = |id: &str, skill: &str| {
        RegistryChange::PutCrew(Crew {
            id: CrewId::new(id),
            skills: [Skill::new(skill)].into(),
            areas: [AreaId::new("north")].into(),
        })
    };
    let basis = |purpose| Basis { purpose, starts_at: at("00:00"), review_at: at("2000:00") };
    let person = |id: &str, purposes: &[Purpose]| {
        RegistryChange::PutPerson(Person {
            id: PersonId::new(id),
            bases: purposes.iter().map(|purpose| basis(*purpose)).collect(),
        })
    };
    vec![
        person("person-1", &[Purpose::Exposure, Purpose::Call]),
        person("person-2", &[Purpose::Call]),
        asset("bin-1", "bin", None),
        asset("bin-2", "bin", None),
        asset("bed-1", "bed", Some("person-1")),
        asset("bed-2", "bed", Some("person-2")),
        asset("room-1", "room", None),
        device("bin-1", "bin-level"),
        device("bin-2", "bin-level"),
        device("bed-1", "bed-mat"),
        device("bed-2", "bed-mat"),
        device("room-1", "room-sensor"),
        crew("crew-a", "waste"),
        crew("crew-b", "waste"),
        crew("crew-care", "care"),
    ]
}
