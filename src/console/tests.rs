//! The console over a real socket, with a real client and invented ports: who may do what, what a change answers,
//! and that a stream which broke off ends where one that never did is.

mod history;
mod stream;

use super::*;
use crate::board::{Board, Initial, Ledger};
use crate::domain::alarm::{Cause, Priority};
use crate::domain::asset::{Property, PropertyKind, SensorType};
use crate::domain::decision::{Decision, Fact};
use crate::domain::event::{Command, CommandKind, Event};
use crate::domain::ids::{
    AccountId, AlarmId, AssetKind, CommandId, JournalId, PropertyName, RuleVersion, SensorTypeId, Seq,
};
use crate::domain::reason::{Refusal, Verdict};
use crate::domain::time::{Span, Timestamp};
use crate::rules::{Rule, Vocabulary, compile};
use crate::store::tests::Flaky;
use crate::store::{Progress, SqliteStore, Store};
use futures_util::StreamExt as _;
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpSocket;
use tokio::sync::watch;

const PASSWORD: &str = "correct horse";

/// A console with everything behind it.
struct House {
    address: SocketAddr,
    board: Arc<Board>,
    store: Arc<SqliteStore>,
    /// What the console asks: `store`, until it is frozen.
    asked: Arc<Flaky>,
    progress: Arc<Progress>,
    durable: watch::Sender<Seq>,
    commands: Arc<Mutex<Vec<Command>>>,
    sessions: Arc<Mutex<BTreeMap<String, Account>>>,
    verdict: Arc<Mutex<Result<Verdict, Unavailable>>>,
    client: Client,
    shutdown: CancellationToken,
    tracker: TaskTracker,
    running: Running,
    _folder: tempfile::TempDir,
}

fn account(name: &str, role: Role) -> Account {
    Account { id: AccountId::new(name), roles: BTreeSet::from([role]) }
}

fn role_named(name: &str) -> Role {
    match name {
        "auditor" => Role::Auditor,
        "crew" => Role::Crew,
        "admin" => Role::Admin,
        _ => Role::Operator,
    }
}

fn house() -> House {
    house_with(Options::default())
}

fn house_with(options: Options) -> House {
    let folder = tempfile::tempdir().unwrap();
    let board = Arc::new(Board::new(Initial {
        journal: JournalId([7; 16]),
        seq: Seq(10),
        at: Timestamp::from_micros(10),
        alarms: Vec::new(),
        tasks: Vec::new(),
        devices_silent: Vec::new(),
        quarantined: BTreeMap::new(),
    }));
    let commands = Arc::new(Mutex::new(Vec::new()));
    let sessions: Arc<Mutex<BTreeMap<String, Account>>> = Arc::default();
    let verdict = Arc::new(Mutex::new(Ok(Verdict::Accepted)));
    let store = Arc::new(SqliteStore::open(&folder.path().join("store.db")).unwrap());
    let (durable, following) = watch::channel(Seq(10));
    let progress = Arc::new(Progress::new(following));
    progress.kept(Seq(10));
    let asked = Flaky::new(store.clone(), 0, usize::MAX);
    let history = History { store: asked.clone(), progress: Arc::clone(&progress) };
    let ports = ports(&board, history, &commands, &sessions, &verdict);
    let (shutdown, tracker) = (CancellationToken::new(), TaskTracker::new());
    let options = Options { listen: vec!["127.0.0.1:0".parse().unwrap()], ..options };
    let running = start(options, ports, &shutdown, &tracker).unwrap();
    let client = Client::builder().no_proxy().build().unwrap();
    let address = running.addresses[0];
    House {
        address,
        board,
        store,
        asked,
        progress,
        durable,
        commands,
        sessions,
        verdict,
        client,
        shutdown,
        tracker,
        running,
        _folder: folder,
    }
}

struct History {
    store: Arc<dyn Store>,
    progress: Arc<Progress>,
}

fn ports(
    board: &Arc<Board>,
    History { store, progress }: History,
    commands: &Arc<Mutex<Vec<Command>>>,
    sessions: &Arc<Mutex<BTreeMap<String, Account>>>,
    verdict: &Arc<Mutex<Result<Verdict, Unavailable>>>,
) -> Ports {
    let (commands, verdict) = (Arc::clone(commands), Arc::clone(verdict));
    let (signing_in, looking, leaving, starting) =
        (Arc::clone(sessions), Arc::clone(sessions), Arc::clone(sessions), Arc::clone(sessions));
    let open = |sessions: &Mutex<BTreeMap<String, Account>>, id: &AccountId, role| {
        let token = format!("token-of-{id}");
        let account = account(id.as_str(), role);
        sessions.lock().unwrap().insert(token.clone(), account.clone());
        let expires_at = now() + Span::from_hours(8);
        SignedIn { token: SessionToken::new(&token).unwrap(), account, expires_at }
    };
    Ports {
        sign_in: Arc::new(move |asked| {
            let right = asked.password == PASSWORD;
            let signed_in = right.then(|| open(&signing_in, &asked.account, role_named(asked.account.as_str())));
            Box::pin(async move { signed_in.ok_or(SignInRefusal::Wrong) })
        }),
        session: Arc::new(move |token| {
            let found = looking.lock().unwrap().get(token.as_str()).cloned();
            Box::pin(async move { Ok(found) })
        }),
        sign_out: Arc::new(move |token| {
            leaving.lock().unwrap().remove(token.as_str());
            Box::pin(async { Ok(()) })
        }),
        first_start: Arc::new(move |asked| {
            let outcome = match (asked.token.as_str(), asked.password.len()) {
                ("link", 12..) => Ok(open(&starting, &asked.account, Role::Admin)),
                ("link", _) => Err(FirstStartRefusal::Unfit("a password has at least 12 characters".into())),
                _ => Err(FirstStartRefusal::Link),
            };
            Box::pin(async move { outcome })
        }),
        command: Arc::new(move |command| {
            commands.lock().unwrap().push(command);
            let verdict = *verdict.lock().unwrap();
            Box::pin(async move { verdict.map(|verdict| CommandAnswer { seq: Seq(42), verdict }) })
        }),
        rules: Arc::new(|()| Box::pin(async { Ok(rules()) })),
        why: Arc::new(|alarm| Box::pin(async move { Ok((alarm == AlarmId(7)).then(why)) })),
        board: Arc::clone(board),
        store,
        progress,
        metrics: Arc::new(|| "rettidig_up 1\n".into()),
        health: Arc::new(|| Health {
            parts: vec![part("journal", true, true, None), part("store", false, false, Some(12))],
        }),
        now: Arc::new(now),
    }
}

fn why() -> Why {
    Why {
        rule: "bin-full".into(),
        version: Some(RuleVersion(0xab)),
        asset: "bin-1".into(),
        english: "fired: fill was about full".into(),
        danish: "udløst: fill var omtrent fuld".into(),
        values: vec![WhyValue {
            property: "fill".into(),
            english: "93.5 %".into(),
            danish: "93,5 %".into(),
            observed_at: Timestamp::from_micros(0),
        }],
        personal: false,
    }
}

fn rules() -> Vec<Arc<Rule>> {
    let text = r#"
        [[rule]]
        id = "bin-full"
        applies_to = "bin"
        when = "fill >= 0.8"
        normal_when = "fill <= 0.25"
        on_delay = "10m"
        priority = 3
        owner = "waste-operations"
        respond_within = "24h"
        task = { kind = "empty-bin", skill = "waste" }
        cause = { en = "The bin is full.", da = "Spanden er fuld." }
        consequence = { en = "No room.", da = "Ingen plads." }
        response = { en = "Empty it.", da = "Tøm den." }
    "#;
    let fill = Property { kind: PropertyKind::Number, unit: "1".into(), range: None, purpose: None };
    let bin = SensorType {
        id: SensorTypeId::new("bin-fill"),
        asset_kind: AssetKind::new("bin"),
        interval: Span::from_hours(1),
        lateness: Span::ZERO,
        properties: BTreeMap::from([(PropertyName::new("fill"), fill)]),
    };
    let vocabulary = Vocabulary::new([&bin].into_iter());
    let rules = compile(&BTreeMap::from([("rules/bins.toml".into(), text.into())]), &vocabulary).unwrap();
    rules.iter().map(Arc::clone).collect()
}

fn part(name: &str, ready: bool, required: bool, behind: Option<u64>) -> HealthPart {
    HealthPart { name: name.into(), ready, required, behind, detail: String::new() }
}

fn now() -> Timestamp {
    Timestamp::from_micros(1_800_000_000_000_000)
}

impl House {
    fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A request as our own page sends it.
    fn ask(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.origin())).header("origin", self.origin())
    }

    fn ask_as(&self, name: &str, method: Method, path: &str) -> RequestBuilder {
        let token = format!("token-of-{name}");
        self.sessions.lock().unwrap().insert(token.clone(), account(name, role_named(name)));
        self.ask(method, path).header("cookie", format!("rettidig={token}"))
    }

    async fn sign_in(&self, name: &str, password: &str) -> Response {
        let body = json!({ "account": name, "password": password });
        self.ask(Method::POST, "/api/v1/session").json(&body).send().await.unwrap()
    }

    /// Decides at `seq`, as the sequencer would release it.
    fn decide(&self, seq: u64, facts: Vec<Fact>) {
        let decision =
            Decision { seq: Seq(seq), verdict: Verdict::Accepted, subject: None, facts, effects: Vec::new() };
        self.board.apply([(Timestamp::from_micros(seq as i64), &Event::Started, &decision)]);
    }

    fn raise(&self, seq: u64, alarm: u64) {
        self.decide(seq, vec![raised(alarm)]);
    }

    async fn stream(&self, last: Option<(u64, &str)>) -> Told {
        let path = last.map_or("/api/v1/stream".into(), |(_, journal)| format!("/api/v1/stream?journal={journal}"));
        let mut request = self.ask_as("anna", Method::GET, &path);
        if let Some((seq, _)) = last {
            request = request.header("last-event-id", seq);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Told { bytes: Box::pin(response.bytes_stream()), text: String::new() }
    }
}

fn raised(alarm: u64) -> Fact {
    let cause = Cause {
        device: Some("dev-7".into()),
        observed_at: Timestamp::from_micros(5),
        event: Seq(9),
        exercise: false,
        rule_version: None,
        late: None,
    };
    Fact::AlarmRaised {
        alarm: AlarmId(alarm),
        rule: "bin-full".into(),
        asset: "bin-7".into(),
        priority: Priority::P3,
        cause,
    }
}

/// What a stream tells, event by event.
struct Told {
    bytes: std::pin::Pin<Box<dyn futures_util::Stream<Item = reqwest::Result<bytes::Bytes>> + Send>>,
    text: String,
}

impl Told {
    /// The next event or comment: id, name, data.
    async fn next(&mut self) -> Option<(Option<u64>, String, Value)> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
                let told = (
                    field("id:").and_then(|id| id.parse().ok()),
                    field("event:").or(field(":")).unwrap_or_default().to_owned(),
                    field("data:").map_or(Value::Null, |data| serde_json::from_str(data).unwrap()),
                );
                self.text = rest.to_owned();
                return Some(told);
            }
            let more = tokio::time::timeout(Duration::from_secs(20), self.bytes.next()).await.unwrap()?;
            self.text.push_str(std::str::from_utf8(&more.ok()?).unwrap());
        }
    }

    /// The next event of that name, whatever comes between.
    async fn next_named(&mut self, name: &str) -> (Option<u64>, Value) {
        while let Some((id, found, data)) = self.next().await {
            if found == name {
                return (id, data);
            }
        }
        panic!("the stream ended before \"{name}\"");
    }
}

async fn problem(response: Response) -> (u16, String) {
    let status = response.status().as_u16();
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["status"], status);
    assert_eq!(body["type"], format!("urn:rettidig:problem:{}", body["code"].as_str().unwrap()));
    assert!(!body["title"].as_str().unwrap().is_empty());
    (status, body["code"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_session_begins_is_known_and_ends() {
    let house = house();
    let response = house.sign_in("anna", PASSWORD).await;
    assert_eq!(response.status(), StatusCode::OK);
    let cookie = response.headers()["set-cookie"].to_str().unwrap().to_owned();
    assert_eq!(cookie, "rettidig=token-of-anna; Path=/; Max-Age=28800; HttpOnly; SameSite=Lax");
    let cookie = cookie.split(';').next().unwrap();
    let who = || house.ask(Method::GET, "/api/v1/session").header("cookie", cookie);
    let me: Value = who().send().await.unwrap().json().await.unwrap();
    assert_eq!((&me["account"], &me["roles"], &me["may_change"]), (&json!("anna"), &json!(["operator"]), &json!(true)));
    let bye = house.ask(Method::DELETE, "/api/v1/session").header("cookie", cookie).send().await.unwrap();
    assert_eq!(bye.status(), StatusCode::NO_CONTENT);
    assert!(bye.headers()["set-cookie"].to_str().unwrap().contains("Max-Age=0"));
    let me: Value = who().send().await.unwrap().json().await.unwrap();
    assert_eq!(me["account"], Value::Null);
}

#[tokio::test]
async fn a_wrong_password_says_no_more_than_that_and_too_many_wait() {
    let house = house_with(Options { sign_ins_per_minute: 3, ..Options::default() });
    for _ in 0..3 {
        assert_eq!(problem(house.sign_in("anna", "guess").await).await, (401, "wrong_sign_in".into()));
    }
    let response = house.sign_in("anna", PASSWORD).await;
    assert_eq!(response.headers()["retry-after"], "20");
    assert_eq!(problem(response).await, (429, "too_many_attempts".into()));
}

#[tokio::test]
async fn the_first_start_sets_an_account_once_the_link_is_right() {
    let house = house();
    let start = async |token: &str, password: &str| {
        let body = json!({ "token": token, "account": "chef", "password": password });
        house.ask(Method::POST, "/api/v1/first-start").json(&body).send().await.unwrap()
    };
    assert_eq!(problem(start("guess", "long enough to pass").await).await, (403, "first_start_link".into()));
    assert_eq!(problem(start("link", "short").await).await, (422, "unfit".into()));
    let response = start("link", "long enough to pass").await;
    assert_eq!(response.status(), StatusCode::CREATED);
    assert!(response.headers().contains_key("set-cookie"));
    assert_eq!(response.json::<Value>().await.unwrap()["roles"], json!(["admin"]));
}

#[tokio::test]
async fn on_https_the_cookie_is_bound_to_the_host() {
    let options = Options { public_origin: Some("https://rettidig.example".into()), ..Options::default() };
    let house = house_with(options);
    let post = |host: &str, origin: &str| {
        house
            .client
            .post(format!("{}/api/v1/session", house.origin()))
            .header("host", host)
            .header("origin", origin)
            .json(&json!({ "account": "anna", "password": PASSWORD }))
    };
    let response = post("rettidig.example", "https://rettidig.example").send().await.unwrap();
    let cookie = response.headers()["set-cookie"].to_str().unwrap();
    assert!(cookie.starts_with("__Host-rettidig=") && cookie.ends_with("SameSite=Lax; Secure"), "{cookie}");
    assert!(response.headers().contains_key("strict-transport-security"));
    let response = post("rettidig.example", "https://evil.example").send().await.unwrap();
    assert_eq!(problem(response).await, (403, "wrong_origin".into()));
    let response = post("evil.example", "https://rettidig.example").send().await.unwrap();
    assert_eq!(problem(response).await, (421, "wrong_host".into()));
}

#[tokio::test]
async fn a_change_from_another_page_is_refused() {
    let house = house();
    let path = "/api/v1/alarms/1/acknowledge";
    for origin in ["http://evil.example", "null", "http://localhost:1"] {
        let request = house.client.post(format!("{}{path}", house.origin())).header("origin", origin);
        assert_eq!(problem(request.send().await.unwrap()).await, (403, "wrong_origin".into()));
    }
    let bare = house.client.post(format!("{}{path}", house.origin())).send().await.unwrap();
    assert_eq!(problem(bare).await, (403, "wrong_origin".into()));
    assert!(house.commands.lock().unwrap().is_empty());
}

#[tokio::test]
async fn roles_decide_who_looks_and_who_changes() {
    let house = house();
    let acknowledge = "/api/v1/alarms/1/acknowledge";
    let change = async |name: &str| {
        let request = house.ask_as(name, Method::POST, acknowledge).header("idempotency-key", "k");
        request.send().await.unwrap().status().as_u16()
    };
    let look =
        async |name: &str, path: &str| house.ask_as(name, Method::GET, path).send().await.unwrap().status().as_u16();
    assert_eq!((change("anna").await, change("admin").await), (200, 200));
    assert_eq!((change("auditor").await, change("crew").await), (403, 403));
    for path in ["/api/v1/alarms", "/api/v1/tasks", "/api/v1/quarantine", "/api/v1/history/alarms"] {
        assert_eq!((look("auditor", path).await, look("crew", path).await), (200, 403), "{path}");
        let stranger = house.ask(Method::GET, path).send().await.unwrap();
        assert_eq!(problem(stranger).await, (401, "signed_out".into()), "{path}");
    }
    let stranger = house.ask(Method::POST, acknowledge).header("idempotency-key", "k").send().await.unwrap();
    assert_eq!(problem(stranger).await, (401, "signed_out".into()));
    let stranger = house.ask(Method::GET, "/api/v1/stream").send().await.unwrap();
    assert_eq!(problem(stranger).await, (401, "signed_out".into()));
    assert_eq!(house.commands.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn a_command_carries_its_key_and_answers_with_seq_and_verdict() {
    let house = house();
    let post = async |path: &str, key: &str| {
        house.ask_as("anna", Method::POST, path).header("idempotency-key", key).send().await.unwrap()
    };
    let done: Value = post("/api/v1/alarms/7/acknowledge", "a-1").await.json().await.unwrap();
    assert_eq!(done, json!({ "seq": 42, "verdict": "accepted" }));
    *house.verdict.lock().unwrap() = Ok(Verdict::Duplicate { of: Seq(40) });
    let done: Value = post("/api/v1/tasks/8/cancel", "a-1").await.json().await.unwrap();
    assert_eq!(done, json!({ "seq": 42, "verdict": "duplicate", "of": 40 }));
    let expected = [
        ("anna:acknowledge/7:a-1", CommandKind::AcknowledgeAlarm(AlarmId(7))),
        ("anna:cancel/8:a-1", CommandKind::CancelTask(crate::domain::ids::TaskId(8))),
    ]
    .map(|(id, kind)| Command { id: CommandId::new(id), account: AccountId::new("anna"), kind });
    assert_eq!(*house.commands.lock().unwrap(), expected);
    for key in ["", "with space", &"x".repeat(65)] {
        assert_eq!(problem(post("/api/v1/alarms/7/acknowledge", key).await).await.0, 400, "{key:?}");
    }
    let keyless = house.ask_as("anna", Method::POST, "/api/v1/alarms/7/acknowledge").send().await.unwrap();
    assert_eq!(problem(keyless).await, (400, "bad_request".into()));
    assert_eq!(problem(post("/api/v1/alarms/seven/acknowledge", "k").await).await, (400, "bad_request".into()));
}

#[tokio::test]
async fn a_refusal_comes_back_in_words_with_its_seq() {
    let house = house();
    let cases = [
        (Verdict::Refused(Refusal::UnknownAlarm), (404, "unknown_alarm")),
        (Verdict::Refused(Refusal::AlreadyAcknowledged), (409, "already_acknowledged")),
        (Verdict::Refused(Refusal::AlreadyClosed), (409, "already_closed")),
    ];
    let post =
        || house.ask_as("anna", Method::POST, "/api/v1/alarms/1/acknowledge").header("idempotency-key", "k").send();
    for (verdict, (status, code)) in cases {
        *house.verdict.lock().unwrap() = Ok(verdict);
        assert_eq!(problem(post().await.unwrap()).await, (status, code.into()));
    }
    let body: Value = post().await.unwrap().json().await.unwrap();
    assert_eq!(body["seq"], 42);
    *house.verdict.lock().unwrap() = Err(Unavailable);
    let response = post().await.unwrap();
    assert!(response.headers().contains_key("retry-after"));
    assert_eq!(problem(response).await, (503, "unavailable".into()));
}

#[tokio::test]
async fn the_present_is_listed_page_by_page() {
    let house = house();
    house.decide(11, (1..=5).map(raised).collect());
    house.decide(12, vec![Fact::AlarmClosed { alarm: AlarmId(2) }]);
    let list = async |query: &str| -> Value {
        house.ask_as("anna", Method::GET, &format!("/api/v1/alarms{query}")).send().await.unwrap().json().await.unwrap()
    };
    let ids = |list: &Value| list["rows"].as_array().unwrap().iter().map(|row| row["id"].as_u64().unwrap()).collect();
    let first = list("?rows=3").await;
    let ids_first: Vec<u64> = ids(&first);
    assert_eq!((ids_first, &first["next"], &first["seq"]), (vec![1, 3, 4], &json!(4), &json!(12)));
    let rest = list("?rows=3&after=4").await;
    let ids_rest: Vec<u64> = ids(&rest);
    assert_eq!((ids_rest, rest.get("next")), (vec![5], None));
    let all: Vec<u64> = ids(&list("?all=true").await);
    assert_eq!(all, [1, 2, 3, 4, 5]);
    assert_eq!(first["rows"][0]["raised_at"], "1970-01-01T00:00:00.000011Z");
    let bad = house.ask_as("anna", Method::GET, "/api/v1/alarms?rows=many").send().await.unwrap();
    assert_eq!(problem(bad).await, (400, "bad_request".into()));
    let bad = house.ask_as("anna", Method::GET, "/api/v1/quarantine?after=zz").send().await.unwrap();
    assert_eq!(problem(bad).await, (400, "bad_request".into()));
}

#[tokio::test]
async fn a_rule_tells_what_its_alarm_means_in_both_languages() {
    let house = house();
    assert_eq!(house.ask(Method::GET, "/api/v1/rules").send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    let answer = house.ask_as("anna", Method::GET, "/api/v1/rules").send().await.unwrap();
    let told: Value = answer.json().await.unwrap();
    let expected = json!({ "rules": [{
        "id": "bin-full", "applies_to": "bin", "priority": 3, "owner": "waste-operations",
        "respond_within_s": 86_400, "on_delay_s": 600, "momentary": false,
        "when": "fill >= 0.8", "normal_when": "fill <= 0.25",
        "task": { "kind": "empty-bin", "skill": "waste" },
        "cause": { "en": "The bin is full.", "da": "Spanden er fuld." },
        "consequence": { "en": "No room.", "da": "Ingen plads." },
        "response": { "en": "Empty it.", "da": "Tøm den." },
    }] });
    assert_eq!(told, expected);
}

#[tokio::test]
async fn an_alarm_tells_why_it_stands_and_a_closed_one_where_to_ask() {
    let house = house();
    assert_eq!(house.ask(Method::GET, "/api/v1/alarms/7/why").send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    let told: Value =
        house.ask_as("anna", Method::GET, "/api/v1/alarms/7/why").send().await.unwrap().json().await.unwrap();
    let expected = json!({
        "rule": "bin-full", "rule_version": "00000000000000ab", "asset": "bin-1", "personal": false,
        "sentence": { "en": "fired: fill was about full", "da": "udløst: fill var omtrent fuld" },
        "values": [{
            "property": "fill", "value": { "en": "93.5 %", "da": "93,5 %" }, "observed_at": "1970-01-01T00:00:00Z",
        }],
    });
    assert_eq!(told, expected);
    let closed = house.ask_as("anna", Method::GET, "/api/v1/alarms/8/why").send().await.unwrap();
    assert_eq!(problem(closed).await, (404, "not_found".into()));
}

#[tokio::test]
async fn health_and_metrics_are_for_this_machine() {
    let house = house();
    let ready = house.ask(Method::GET, "/health/ready").send().await.unwrap();
    assert_eq!(ready.status(), StatusCode::OK);
    let body: Value = ready.json().await.unwrap();
    assert_eq!(body["parts"]["store"], json!({ "ready": false, "required": false, "behind": 12 }));
    let metrics = house.ask(Method::GET, "/metrics").send().await.unwrap();
    assert!(metrics.text().await.unwrap().contains("rettidig_up 1"));
    let handed_on = house.ask(Method::GET, "/metrics").header("x-forwarded-for", "10.0.0.1").send().await.unwrap();
    assert_eq!(problem(handed_on).await, (403, "forbidden".into()));
    house.shutdown.cancel();
    house.tracker.close();
    house.tracker.wait().await;
}

#[tokio::test]
async fn every_answer_is_guarded_and_every_refusal_is_a_problem() {
    let house = house();
    for path in ["/", "/api/v1/session", "/api/v1/nothing", "/api/v2/x", "/nothing.txt"] {
        let response = house.ask(Method::GET, path).send().await.unwrap();
        let headers = response.headers();
        assert!(headers["content-security-policy"].to_str().unwrap().contains("default-src 'none'"), "{path}");
        assert_eq!(headers["x-content-type-options"], "nosniff", "{path}");
        assert!(headers.contains_key("cache-control"), "{path}");
    }
    for path in ["/api/v1/nothing", "/api/v2/x", "/nothing.txt"] {
        assert_eq!(problem(house.ask(Method::GET, path).send().await.unwrap()).await, (404, "not_found".into()));
    }
    let wrong = house.ask(Method::PUT, "/api/v1/session").send().await.unwrap();
    assert_eq!(problem(wrong).await, (405, "wrong_method".into()));
    let large = json!({ "account": "a", "password": "x".repeat(20_000) });
    let large = house.ask(Method::POST, "/api/v1/session").json(&large).send().await.unwrap();
    assert_eq!(problem(large).await, (413, "too_large".into()));
    let torn = house.ask(Method::POST, "/api/v1/session").header("content-type", "application/json").body("{\"acc");
    assert_eq!(problem(torn.send().await.unwrap()).await, (400, "bad_request".into()));
}
