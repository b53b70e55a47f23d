//! The live stream: whole at first, then changes; broken off, resumed, bounded.

use super::*;

#[tokio::test]
async fn a_stream_starts_whole_and_goes_on_with_changes() {
    let house = house_with(Options { part_rows_max: 2, ..Options::default() });
    house.decide(11, (1..=3).map(raised).collect());
    let mut told = house.stream(None).await;
    let (id, part) = told.next_named("reset").await;
    assert_eq!((id, &part["part"], &part["parts"]), (None, &json!(1), &json!(2)));
    assert_eq!(part["journal"], "07".repeat(16));
    let (id, part) = told.next_named("reset").await;
    assert_eq!((id, part["alarms"].as_array().unwrap().len()), (Some(11), 1));
    house.raise(12, 4);
    let (id, changes) = told.next_named("changes").await;
    assert_eq!((id, &changes["alarms"][0]["id"]), (Some(12), &json!(4)));
    assert_eq!(changes["counts"]["alarms_open"], json!([0, 0, 4, 0]));
}

#[tokio::test]
async fn a_stream_that_broke_off_resumes_with_the_difference() {
    let house = house();
    house.raise(11, 1);
    let mut told = house.stream(None).await;
    let (seen, reset) = told.next_named("reset").await;
    let journal = reset["journal"].as_str().unwrap().to_owned();
    drop(told);
    house.raise(12, 2);
    house.decide(13, vec![Fact::AlarmClosed { alarm: AlarmId(1) }]);
    let mut told = house.stream(Some((seen.unwrap(), &journal))).await;
    let (id, changes) = told.next_named("changes").await;
    let alarms = changes["alarms"].as_array().unwrap();
    assert_eq!((id, alarms.len()), (Some(13), 2));
    assert!(alarms[0]["closed_at"].is_string());
}

#[tokio::test]
async fn a_stream_of_another_journal_or_the_future_starts_again() {
    let house = house();
    house.raise(11, 1);
    for last in [(11, "00"), (99, &*"07".repeat(16))] {
        let mut told = house.stream(Some(last)).await;
        assert_eq!(told.next_named("reset").await.0, Some(11), "{last:?}");
    }
}

#[tokio::test]
async fn a_quiet_stream_shows_that_it_is_alive_and_brings_the_ledger() {
    let house = house_with(Options { heartbeat: Duration::from_millis(5), ..Options::default() });
    let mut told = house.stream(None).await;
    told.next_named("reset").await;
    told.next_named("alive").await;
    house.board.set_ledger(Ledger { received: 3, decided: 2, quarantined: 1, ..Ledger::default() });
    let (id, numbers) = told.next_named("numbers").await;
    assert_eq!((id, &numbers["ledger"]["received"], &numbers["ledger"]["balanced"]), (None, &json!(3), &json!(true)));
}

#[tokio::test]
async fn a_quiet_stream_says_that_the_store_is_behind_and_that_it_has_caught_up() {
    let house = house_with(Options { heartbeat: Duration::from_millis(5), ..Options::default() });
    let mut told = house.stream(None).await;
    let (_, reset) = told.next_named("reset").await;
    assert_eq!(reset["store"], json!({ "behind": 0, "late": false }));
    house.durable.send_replace(Seq(20_010));
    let (_, numbers) = told.next_named("numbers").await;
    assert_eq!(numbers["store"], json!({ "behind": 20_000, "late": true }));
    house.progress.kept(Seq(20_000));
    let (_, numbers) = told.next_named("numbers").await;
    assert_eq!(numbers["store"], json!({ "behind": 10, "late": false }));
    // What is on its way is told with the next thing there is to tell.
    house.progress.kept(Seq(20_010));
    told.next_named("alive").await;
}

#[tokio::test]
async fn a_stream_ends_with_its_session() {
    let house = house_with(Options { session_check: Duration::from_millis(5), ..Options::default() });
    let mut told = house.stream(None).await;
    told.next_named("reset").await;
    house.sessions.lock().unwrap().clear();
    told.next_named("signed-out").await;
    assert!(told.next().await.is_none());
}

#[tokio::test]
async fn only_so_many_streams_at_once() {
    let house = house_with(Options { streams_max: 1, ..Options::default() });
    let mut told = house.stream(None).await;
    told.next_named("reset").await;
    let second = house.ask_as("anna", Method::GET, "/api/v1/stream").send().await.unwrap();
    assert_eq!(problem(second).await, (503, "unavailable".into()));
}

/// The client stops reading; its connection ends, the board never waits, and the screen resumes where it was.
#[tokio::test]
async fn a_client_that_does_not_read_is_let_go_and_resumes() {
    let stall_after = Duration::from_millis(100);
    let options =
        Options { stall_after, send_buffer_bytes: 4_096, pace: Duration::from_millis(1), ..Options::default() };
    let house = house_with(options);
    house.sessions.lock().unwrap().insert("token-of-anna".into(), account("anna", Role::Operator));
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let mut slow = socket.connect(house.address).await.unwrap();
    let request =
        format!("GET /api/v1/stream HTTP/1.1\r\nhost: {}\r\ncookie: rettidig=token-of-anna\r\n\r\n", house.address);
    slow.write_all(request.as_bytes()).await.unwrap();
    let mut head = [0; 15];
    slow.read_exact(&mut head).await.unwrap();
    assert_eq!(&head, b"HTTP/1.1 200 OK");
    // More than the buffers between the two can hold.
    house.decide(11, (1..=2_000).map(raised).collect());
    assert_eq!(house.running.streams_open(), 1);
    let gives_up = async {
        while house.running.streams_open() > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), gives_up).await.unwrap();
    house.raise(12, 3_000);
    let mut told = house.stream(Some((10, &"07".repeat(16)))).await;
    let (id, changes) = told.next_named("changes").await;
    assert_eq!((id, changes["alarms"].as_array().unwrap().len()), (Some(12), 2_001));
}
