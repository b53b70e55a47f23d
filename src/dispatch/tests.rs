//! Dispatch through its way in, with channels that note what they were given; and the bookkeeping against a model.

use super::*;
use crate::domain::alarm::Priority;
use crate::domain::decision::{Notice, TaskMessage};
use crate::domain::ids::{AlarmId, AssetId, DeviceId, Seq, TaskId};
use crate::domain::task::CancelReason;
use proptest::prelude::*;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

const JOURNAL: JournalId = JournalId([0xab; 16]);
const CITY: &str = "city";

fn delivery(seq: u64, crew: &str, expires_at: i64) -> Delivery {
    Delivery {
        id: DeliveryId { seq: Seq(seq), n: 2 },
        crew: CrewId::new(crew),
        message: TaskMessage {
            notice: Notice::Offered,
            task: TaskId(17),
            alarm: AlarmId(9),
            kind: "empty-bin".into(),
            priority: Priority::P3,
            asset: AssetId::new("bin-7"),
            device: Some(DeviceId::new("a840419f7d8a1c02")),
            observed_at: Timestamp::from_micros(1_767_312_000_123_000),
            caused_by: Seq(123),
            exercise: false,
        },
        expires_at: Timestamp::from_micros(expires_at),
    }
}

type Answers = Arc<Mutex<BTreeMap<(Channel, CrewId), Result<(), NotNow>>>>;

type Sent = Arc<Mutex<Vec<(Channel, CrewId, u64)>>>;

/// A desk whose channels can be opened, filled and closed.
struct Bench {
    desk: Dispatch,
    now: Arc<AtomicI64>,
    /// What each channel answers; a channel not named is not connected.
    answers: Answers,
    sent: Sent,
    withdrawn: Sent,
    resync: Arc<AtomicBool>,
}

impl Bench {
    fn new(change: impl FnOnce(&mut Options)) -> Self {
        let mut options = Options::new(JOURNAL);
        change(&mut options);
        let now = Arc::new(AtomicI64::new(0));
        let answers = Answers::default();
        let (sent, withdrawn) = (Sent::default(), Sent::default());
        let resync = Arc::new(AtomicBool::new(false));
        let ports = Ports {
            send: {
                let (answers, sent) = (Arc::clone(&answers), Arc::clone(&sent));
                Arc::new(move |channel, crew, post| {
                    let place = (channel.clone(), crew.clone());
                    answers.lock().unwrap().get(&place).copied().unwrap_or(Err(NotNow::NotConnected))?;
                    let seq = mqtt::delivery_of(post.key).seq.0;
                    sent.lock().unwrap().push((channel.clone(), crew.clone(), seq));
                    Ok(())
                })
            },
            withdraw: {
                let withdrawn = Arc::clone(&withdrawn);
                Arc::new(move |channel, crew, key| {
                    withdrawn.lock().unwrap().push((channel.clone(), crew.clone(), mqtt::delivery_of(key).seq.0));
                })
            },
            receipt: Arc::new(|_| Box::pin(std::future::ready(()))),
            resync_wanted: {
                let resync = Arc::clone(&resync);
                Arc::new(move || resync.store(true, Ordering::SeqCst))
            },
            now: {
                let now = Arc::clone(&now);
                Arc::new(move || Timestamp::from_micros(now.load(Ordering::SeqCst)))
            },
        };
        Self { desk: Dispatch::new(options, ports), now, answers, sent, withdrawn, resync }
    }

    fn channel(&self, channel: Channel, crew: &str, answer: Result<(), NotNow>) {
        self.answers.lock().unwrap().insert((channel, CrewId::new(crew)), answer);
    }

    /// What was sent since last asked: `channel:crew:seq`.
    fn sent(&self) -> Vec<String> {
        taken(&self.sent)
    }

    fn withdrawn(&self) -> Vec<String> {
        taken(&self.withdrawn)
    }

    fn subscribe(&mut self, crew: &str) {
        self.channel(Channel::Endpoint, crew, Ok(()));
        self.desk.handle(Inbox::Subscribed(CrewId::new(crew)));
    }
}

fn taken(list: &Sent) -> Vec<String> {
    list.lock().unwrap().drain(..).map(|(channel, crew, seq)| format!("{}:{crew}:{seq}", channel.label())).collect()
}

fn key(seq: u64) -> u64 {
    mqtt::key(DeliveryId { seq: Seq(seq), n: 2 }).unwrap()
}

fn broker() -> Channel {
    Channel::Broker(CITY.into())
}

#[test]
fn the_task_message_is_the_contract_with_every_device() {
    let offered = Post::new(JOURNAL, &delivery(456, "north", 1_767_312_060_000_000)).unwrap();
    assert_eq!(offered.topic, "rettidig/v1/crew/north/tasks");
    assert_eq!(
        std::str::from_utf8(&offered.payload).unwrap(),
        "{\"version\":1,\"delivery\":\"abababababababababababababababab/456.2\",\"notice\":\"offered\",\"task\":17,\
         \"alarm\":9,\"kind\":\"empty-bin\",\"priority\":3,\"asset\":\"bin-7\",\"device\":\"a840419f7d8a1c02\",\
         \"observed_at\":\"2026-01-02T00:00:00.123Z\",\"caused_by\":123,\"expires_at\":\"2026-01-02T00:01:00Z\",\
         \"exercise\":false}"
    );
    let mut cancelled = delivery(457, "north", i64::MAX);
    cancelled.message.notice = Notice::Cancelled(CancelReason::SolvedBeforeArrival);
    cancelled.message.device = None;
    let post = Post::new(JOURNAL, &cancelled).unwrap();
    let read = wire::TaskPost::read(&post.payload).unwrap();
    assert_eq!(read, wire::TaskPost::new(JOURNAL, &cancelled));
    assert_eq!((read.notice.as_ref(), read.reason.as_deref()), ("cancelled", Some("solved-before-arrival")));
    assert_eq!(read.device, None);
}

#[test]
fn a_crew_id_cannot_reach_into_other_topics() {
    for crew in ["a/b", "+", "#", ""] {
        assert_eq!(Post::new(JOURNAL, &delivery(1, crew, 10)), Err(Unsendable::CrewId(CrewId::new(crew))));
    }
    let mut bench = Bench::new(|_| {});
    bench.channel(Channel::Endpoint, "a/b", Ok(()));
    bench.desk.handle(Inbox::Released(vec![delivery(1, "a/b", 10)]));
    assert_eq!(bench.sent(), [""; 0]);
    assert!(bench.desk.pending().is_empty());
}

#[test]
fn what_is_released_before_the_crew_is_there_waits_for_its_subscription() {
    let mut bench = Bench::new(|_| {});
    bench.desk.handle(Inbox::Released(vec![delivery(2, "north", 100), delivery(1, "north", 100)]));
    bench.desk.handle(Inbox::Released(vec![delivery(3, "south", 100)]));
    assert_eq!(bench.sent(), [""; 0]);
    bench.subscribe("north");
    assert_eq!(bench.sent(), ["endpoint:north:1", "endpoint:north:2"]);
    bench.desk.handle(Inbox::Released(vec![delivery(4, "north", 100)]));
    assert_eq!(bench.sent(), ["endpoint:north:4"]);
}

#[test]
fn what_was_not_acknowledged_is_sent_again_on_the_next_subscription_and_what_was_is_not() {
    let mut bench = Bench::new(|_| {});
    bench.subscribe("north");
    bench.desk.handle(Inbox::Released(vec![delivery(1, "north", 100), delivery(2, "north", 100)]));
    let crew = CrewId::new("north");
    let receipt = bench.desk.handle(Inbox::Delivered { crew: crew.clone(), key: key(1) }).unwrap();
    assert_eq!((receipt.delivery.seq, receipt.outcome), (Seq(1), DeliveryOutcome::Delivered));
    assert_eq!(bench.desk.handle(Inbox::Delivered { crew, key: key(1) }), None, "one receipt is enough");
    assert_eq!(bench.sent().len(), 2);
    bench.subscribe("north");
    assert_eq!(bench.sent(), ["endpoint:north:2"]);
}

#[test]
fn a_crew_cannot_acknowledge_what_was_meant_for_another() {
    let mut bench = Bench::new(|_| {});
    bench.desk.handle(Inbox::Released(vec![delivery(1, "north", 100)]));
    assert_eq!(bench.desk.handle(Inbox::Delivered { crew: CrewId::new("south"), key: key(1) }), None);
    bench.subscribe("north");
    assert_eq!(bench.sent(), ["endpoint:north:1"]);
}

#[test]
fn nothing_is_sent_at_or_after_its_expiry() {
    let mut bench = Bench::new(|_| {});
    bench.desk.handle(Inbox::Released(vec![delivery(1, "north", 100), delivery(2, "north", 200)]));
    bench.now.store(100, Ordering::SeqCst);
    bench.desk.handle(Inbox::Released(vec![delivery(3, "north", 100)]));
    bench.subscribe("north");
    assert_eq!(bench.sent(), ["endpoint:north:2"]);
    bench.desk.handle(Inbox::Tick);
    assert_eq!(bench.desk.pending().len(), 1);
}

#[test]
fn what_the_engine_has_ended_is_not_sent() {
    let mut bench = Bench::new(|_| {});
    bench.desk.handle(Inbox::Released(vec![delivery(1, "north", 100), delivery(2, "north", 100)]));
    bench.desk.handle(Inbox::Ended(vec![DeliveryId { seq: Seq(1), n: 2 }, DeliveryId { seq: Seq(77), n: 0 }]));
    bench.subscribe("north");
    assert_eq!(bench.sent(), ["endpoint:north:2"]);
}

#[test]
fn a_channel_that_may_still_hold_what_is_over_is_told_to_forget_it() {
    let mut bench = Bench::new(|_| {});
    bench.subscribe("north");
    bench.desk.handle(Inbox::Released((1..=4).map(|seq| delivery(seq, "north", 100)).collect()));
    bench.desk.handle(Inbox::Released(vec![delivery(5, "south", 100)]));
    bench.desk.handle(Inbox::Delivered { crew: CrewId::new("north"), key: key(1) });
    bench.desk.handle(Inbox::Ended([1, 2, 5].map(|seq| DeliveryId { seq: Seq(seq), n: 2 }).to_vec()));
    assert_eq!(bench.withdrawn(), ["endpoint:north:2"], "1 has arrived and 5 was never sent");
    bench.desk.handle(Inbox::Resync(vec![delivery(4, "north", 100)]));
    assert_eq!(bench.withdrawn(), ["endpoint:north:3"]);
    bench.now.store(100, Ordering::SeqCst);
    bench.desk.handle(Inbox::Tick);
    assert_eq!(bench.withdrawn(), ["endpoint:north:4"]);
}

#[test]
fn a_busy_channel_keeps_the_order_and_goes_on_when_something_is_answered() {
    let mut bench = Bench::new(|options| options.default_route = vec![broker()]);
    for crew in ["north", "south"] {
        bench.channel(broker(), crew, Err(NotNow::Busy));
    }
    bench.desk.handle(Inbox::Released(vec![delivery(1, "north", 100), delivery(2, "south", 100)]));
    bench.desk.handle(Inbox::Released(vec![delivery(3, "north", 100)]));
    bench.desk.handle(Inbox::HandedOver { broker: CITY.into(), key: key(99) });
    assert_eq!(bench.sent(), [""; 0], "still busy");
    bench.channel(broker(), "south", Ok(()));
    bench.channel(broker(), "north", Ok(()));
    bench.desk.handle(Inbox::HandedOver { broker: CITY.into(), key: key(99) });
    assert_eq!(bench.sent(), ["broker:north:1", "broker:north:3", "broker:south:2"]);
}

#[test]
fn a_tick_tries_a_busy_channel_even_if_no_answer_ever_comes() {
    let mut bench = Bench::new(|_| {});
    bench.channel(Channel::Endpoint, "north", Err(NotNow::Busy));
    bench.desk.handle(Inbox::Released(vec![delivery(1, "north", 100)]));
    bench.channel(Channel::Endpoint, "north", Ok(()));
    bench.desk.handle(Inbox::Tick);
    assert_eq!(bench.sent(), ["endpoint:north:1"]);
    bench.desk.handle(Inbox::Tick);
    assert_eq!(bench.sent(), [""; 0], "a tick repeats nothing");
}

#[test]
fn a_broker_gets_again_only_what_it_has_not_taken_over() {
    let mut bench = Bench::new(|options| options.default_route = vec![broker()]);
    bench.channel(broker(), "north", Ok(()));
    bench.desk.handle(Inbox::Released(vec![delivery(1, "north", 100), delivery(2, "north", 100)]));
    assert_eq!(bench.sent().len(), 2);
    let receipt = bench.desk.handle(Inbox::HandedOver { broker: CITY.into(), key: key(1) }).unwrap();
    assert_eq!(receipt.outcome, DeliveryOutcome::HandedOver);
    bench.desk.handle(Inbox::BrokerConnected(CITY.into()));
    assert_eq!(bench.sent(), ["broker:north:2"]);
    bench.desk.handle(Inbox::BrokerConnected("another".into()));
    assert_eq!(bench.sent(), [""; 0], "no crew is reached through that one");
}

#[test]
fn a_crew_on_two_ways_gets_it_on_both_and_one_delivery_ends_it() {
    let both = vec![Channel::Endpoint, broker()];
    let mut bench = Bench::new(|options| {
        options.routes.insert(CrewId::new("north"), both);
    });
    bench.channel(broker(), "north", Ok(()));
    bench.channel(Channel::Endpoint, "north", Ok(()));
    bench.desk.handle(Inbox::Released(vec![delivery(1, "north", 100)]));
    assert_eq!(bench.sent(), ["endpoint:north:1", "broker:north:1"]);
    assert!(bench.desk.handle(Inbox::Delivered { crew: CrewId::new("north"), key: key(1) }).is_some());
    assert_eq!(bench.desk.handle(Inbox::HandedOver { broker: CITY.into(), key: key(1) }), None);
    bench.desk.handle(Inbox::BrokerConnected(CITY.into()));
    assert_eq!(bench.sent(), [""; 0]);
}

#[test]
fn a_resync_brings_the_engines_list_without_repeating_what_is_under_way() {
    let mut bench = Bench::new(|_| {});
    bench.subscribe("north");
    bench.desk.handle(Inbox::Released(vec![delivery(1, "north", 100), delivery(2, "north", 100)]));
    assert_eq!(bench.sent().len(), 2);
    bench.desk.handle(Inbox::Resync(vec![delivery(2, "north", 100), delivery(3, "north", 100)]));
    assert_eq!(bench.sent(), ["endpoint:north:3"]);
    bench.subscribe("north");
    assert_eq!(bench.sent(), ["endpoint:north:2", "endpoint:north:3"]);
}

#[test]
fn what_found_no_room_is_asked_for_when_there_is_room_again() {
    let mut bench = Bench::new(|options| options.pending_max = 2);
    bench.desk.handle(Inbox::Released((1..=3).map(|seq| delivery(seq, "north", 100)).collect()));
    assert_eq!(bench.desk.pending().len(), 2);
    assert!(!bench.resync.load(Ordering::SeqCst));
    bench.desk.handle(Inbox::Ended(vec![DeliveryId { seq: Seq(1), n: 2 }]));
    assert!(bench.resync.load(Ordering::SeqCst));
}

#[test]
fn when_there_is_no_room_the_newest_of_the_lowest_priority_waits() {
    let mut bench = Bench::new(|options| options.pending_max = 3);
    let mut ranked = |seq: u64, priority: Priority| {
        let mut delivery = delivery(seq, "north", 100);
        delivery.message.priority = priority;
        bench.desk.handle(Inbox::Released(vec![delivery]));
    };
    for seq in 1..=3 {
        ranked(seq, Priority::P4);
    }
    ranked(4, Priority::P1);
    ranked(5, Priority::P4);
    ranked(6, Priority::P2);
    bench.subscribe("north");
    assert_eq!(bench.sent(), ["endpoint:north:1", "endpoint:north:4", "endpoint:north:6"]);
    assert!(!bench.resync.load(Ordering::SeqCst));
    bench.desk.handle(Inbox::Ended([4, 6].map(|seq| DeliveryId { seq: Seq(seq), n: 2 }).into()));
    assert!(bench.resync.load(Ordering::SeqCst), "the rest is asked for when there is room");
}

#[test]
fn what_has_to_make_room_is_taken_back_from_its_channel() {
    let mut bench = Bench::new(|options| options.pending_max = 1);
    bench.subscribe("north");
    bench.desk.handle(Inbox::Released(vec![delivery(1, "north", 100)]));
    let mut urgent = delivery(2, "north", 100);
    urgent.message.priority = Priority::P1;
    bench.desk.handle(Inbox::Released(vec![urgent]));
    assert_eq!(bench.withdrawn(), ["endpoint:north:1"]);
    assert_eq!(bench.sent(), ["endpoint:north:1", "endpoint:north:2"]);
}

#[test]
fn the_task_reports_receipts_and_finishes_what_it_was_told_before_the_stop() {
    let (inputs, inbox) = mpsc::channel(8);
    let (receipts, mut received) = mpsc::channel(8);
    let mut bench = Bench::new(|_| {});
    bench.desk.ports.receipt = Arc::new(move |receipt| {
        let receipts = receipts.clone();
        Box::pin(async move { receipts.send(receipt).await.unwrap() })
    });
    bench.channel(Channel::Endpoint, "north", Ok(()));
    let stop = CancellationToken::new();
    stop.cancel();
    inputs.try_send(Inbox::Released(vec![delivery(1, "north", 100)])).unwrap();
    inputs.try_send(Inbox::Delivered { crew: CrewId::new("north"), key: key(1) }).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(bench.desk.run(inbox, stop));
    assert_eq!(received.try_recv().unwrap().outcome, DeliveryOutcome::Delivered);
}

#[derive(Clone, Debug)]
enum Step {
    Add { seq: u64, crew: u8, expires_at: i64 },
    End(u64),
    SendAll(u8),
    Reopen(u8),
    Delivered { seq: u64, crew: u8 },
    HandedOver(u64),
    Advance(i64),
    KeepOnly(BTreeSet<u64>),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0u64..12, 0u8..3, 0i64..60).prop_map(|(seq, crew, expires_at)| Step::Add { seq, crew, expires_at }),
        1 => (0u64..12).prop_map(Step::End),
        4 => (0u8..3).prop_map(Step::SendAll),
        1 => (0u8..3).prop_map(Step::Reopen),
        1 => (0u64..12, 0u8..3).prop_map(|(seq, crew)| Step::Delivered { seq, crew }),
        1 => (0u64..12).prop_map(Step::HandedOver),
        1 => (0i64..10).prop_map(Step::Advance),
        1 => prop::collection::btree_set(0u64..12, 0..12).prop_map(Step::KeepOnly),
    ]
}

proptest! {
    #[test]
    fn pending_is_bounded_ordered_in_time_and_repeats_only_after_a_new_connection(
        max in 1usize..8,
        steps in prop::collection::vec(step(), 0..80),
    ) {
        let id = |seq: u64| DeliveryId { seq: Seq(seq), n: 2 };
        let crew_id = |crew: u8| CrewId::new(format!("crew-{crew}"));
        let channel = broker();
        let mut pending = Pending::new(max);
        let mut now = Timestamp::from_micros(0);
        // seq → (crew, expires, sent or taken on this connection, delivered)
        let mut model: BTreeMap<u64, (u8, i64, Option<bool>, bool)> = BTreeMap::new();
        for step in steps {
            match step {
                Step::Add { seq, crew, expires_at } => {
                    let added = pending.add(delivery(seq, crew_id(crew).as_str(), expires_at), now);
                    let expected = if model.contains_key(&seq) { Added::Known }
                        else if now.as_micros() >= expires_at { Added::Expired }
                        else if model.len() >= max { Added::NoRoom }
                        else { model.insert(seq, (crew, expires_at, None, false)); Added::Kept };
                    prop_assert_eq!(added, expected);
                }
                Step::End(seq) => {
                    let ended = pending.end(id(seq)).map(|removed| !removed.unanswered.is_empty());
                    prop_assert_eq!(ended, model.remove(&seq).map(|entry| entry.2 == Some(false)));
                }
                Step::SendAll(crew) => {
                    let mut sent = Vec::new();
                    let mut after = None;
                    while let Some(next) = pending.next(&crew_id(crew), &channel, after, now).map(|next| next.id) {
                        sent.push(next.seq.0);
                        pending.sent(next, &channel);
                        after = Some(next);
                    }
                    let expected: Vec<_> = model
                        .iter_mut()
                        .filter(|(_, (of, expires_at, state, delivered))| {
                            *of == crew && now.as_micros() < *expires_at && state.is_none() && !*delivered
                        })
                        .map(|(seq, entry)| { entry.2 = Some(false); *seq })
                        .collect();
                    prop_assert_eq!(sent, expected);
                }
                Step::Reopen(crew) => {
                    pending.reopen(&crew_id(crew), &channel);
                    model.values_mut().filter(|entry| entry.0 == crew && entry.2 == Some(false)).for_each(|entry| entry.2 = None);
                }
                Step::Delivered { seq, crew } => {
                    let expected = model.get_mut(&seq).filter(|entry| entry.0 == crew && !entry.3).map(|entry| entry.3 = true);
                    prop_assert_eq!(pending.delivered(id(seq), &crew_id(crew)), expected.is_some());
                }
                Step::HandedOver(seq) => {
                    let expected = model.get_mut(&seq).is_some_and(|entry| {
                        let first = entry.2.replace(true) != Some(true);
                        first && !entry.3
                    });
                    prop_assert_eq!(pending.handed_over(id(seq), &channel), expected);
                }
                Step::Advance(by) => {
                    now = Timestamp::from_micros(now.as_micros() + by);
                    let before = model.len();
                    model.retain(|_, entry| now.as_micros() < entry.1);
                    prop_assert_eq!(pending.drop_expired(now).len(), before - model.len());
                }
                Step::KeepOnly(wanted) => {
                    let before = model.len();
                    model.retain(|seq, _| wanted.contains(seq));
                    let removed = pending.keep_only(&wanted.iter().map(|seq| id(*seq)).collect());
                    prop_assert_eq!(removed.len(), before - model.len());
                }
            }
            prop_assert_eq!(pending.len(), model.len());
            let crews: BTreeSet<_> = model.values().map(|entry| crew_id(entry.0)).collect();
            prop_assert_eq!(pending.crews().cloned().collect::<BTreeSet<_>>(), crews);
        }
    }

    #[test]
    fn a_key_comes_back_as_the_delivery_it_was_made_from(seq in 0u64..1 << 48, n: u16) {
        let id = DeliveryId { seq: Seq(seq), n };
        prop_assert_eq!(mqtt::key(id).map(mqtt::delivery_of), Some(id));
    }
}
