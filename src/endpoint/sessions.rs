//! All sessions, by login: who continues one, who takes one over, when one is forgotten.
//!
//! A login has one session and at most one connection. The number of sessions is limited; sessions that nobody has
//! come back for are forgotten when their time is over. Start with [`Sessions::arrive`].

use super::acknowledge::{Line, Order};
use super::session::{Capacity, Session, ends_at};
use crate::domain::ids::ClientId;
use smol_str::SmolStr;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

#[derive(Debug)]
pub(super) struct Sessions {
    by_client: Mutex<BTreeMap<ClientId, Arc<Session>>>,
    sessions_max: usize,
}

/// A connection that logged in.
pub(super) struct Arrival {
    pub client: ClientId,
    /// The MQTT client identifier. The session is the login's, whatever it calls itself.
    pub name: SmolStr,
    pub clean: bool,
    pub line: Arc<Line>,
    pub capacity: Capacity,
    /// How long the session outlives the connection.
    pub keep_for: Duration,
}

/// A connection's place in its session; dropping it gives the place up, also when the connection's task panics.
#[derive(Debug)]
pub(super) struct Seat {
    sessions: Arc<Sessions>,
    pub session: Arc<Session>,
    pub number: u64,
    pub resumed: bool,
    pub took_over: bool,
    /// The one that sat there called itself otherwise: two programs share one login.
    pub took_over_another: bool,
    pub keep_for: Duration,
}

/// The limit of sessions is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Full;

impl Sessions {
    pub fn new(sessions_max: usize) -> Self {
        Self { by_client: Mutex::default(), sessions_max }
    }

    /// Seats a connection. Whoever sat there is told to leave.
    ///
    /// # Errors
    /// When the login has no session and there is no room for another.
    pub fn arrive(self: &Arc<Self>, arrival: Arrival) -> Result<Seat, Full> {
        let now = Instant::now();
        let mut by_client = self.by_client();
        let known = by_client.get(&arrival.client).map(Arc::clone);
        let session = if let Some(session) = &known {
            Arc::clone(session)
        } else {
            if by_client.len() >= self.sessions_max {
                by_client.retain(|_, session| !session.has_ended(now));
            }
            if by_client.len() >= self.sessions_max {
                return Err(Full);
            }
            let session = Arc::new(Session::new(arrival.client.clone()));
            by_client.insert(arrival.client, Arc::clone(&session));
            session
        };
        let resumed = known.is_some() && !arrival.clean && !session.has_ended(now);
        if !resumed {
            session.clear();
        }
        let (number, earlier) = session.sit_down(arrival.line, arrival.name.clone(), arrival.capacity);
        drop(by_client);
        let took_over = earlier.is_some();
        let took_over_another = earlier.as_ref().is_some_and(|(_, name)| *name != arrival.name);
        if let Some((line, _)) = earlier {
            line.tell(Order::TakenOver);
        }
        let keep_for = arrival.keep_for;
        Ok(Seat { sessions: Arc::clone(self), session, number, resumed, took_over, took_over_another, keep_for })
    }

    pub fn get(&self, client: &ClientId) -> Option<Arc<Session>> {
        self.by_client().get(client).cloned()
    }

    /// How many there are, how many may be, and the messages that wait in the fullest.
    pub fn fullest(&self) -> (usize, usize, usize) {
        let sessions: Vec<_> = self.by_client().values().map(Arc::clone).collect();
        let outgoing = sessions.iter().map(|session| session.outgoing()).max();
        (sessions.len(), self.sessions_max, outgoing.unwrap_or(0))
    }

    /// Forgets the sessions whose time is over and returns how many there were.
    pub fn sweep(&self) -> usize {
        let now = Instant::now();
        let mut by_client = self.by_client();
        let before = by_client.len();
        by_client.retain(|_, session| !session.has_ended(now));
        before - by_client.len()
    }

    fn by_client(&self) -> MutexGuard<'_, BTreeMap<ClientId, Arc<Session>>> {
        self.by_client.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let now = Instant::now();
        let mut by_client = self.sessions.by_client();
        let left = self.session.stand_up(self.number, ends_at(now, self.keep_for));
        if left && self.keep_for.is_zero() {
            by_client.remove(&self.session.client);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::permission::TopicFilter;

    fn arrival(client: &str, clean: bool, keep_for: Duration) -> Arrival {
        let capacity = Capacity { packet_bytes_max: 100, in_flight_max: 1 };
        Arrival { client: client.into(), name: client.into(), clean, line: Arc::new(Line::new(1)), capacity, keep_for }
    }

    const DAY: Duration = Duration::from_secs(86_400);

    #[tokio::test(start_paused = true)]
    async fn a_session_is_continued_within_its_time() {
        let sessions = Arc::new(Sessions::new(10));
        let seat = sessions.arrive(arrival("a", false, DAY)).unwrap();
        assert!(!seat.resumed);
        seat.session.subscribe(TopicFilter::parse("t").unwrap(), 1, 9);
        drop(seat);
        tokio::time::advance(DAY / 2).await;
        assert_eq!(sessions.sweep(), 0);
        let seat = sessions.arrive(arrival("a", false, DAY)).unwrap();
        assert!(seat.resumed);
        assert_eq!(seat.session.filters().len(), 1);
        drop(seat);
        tokio::time::advance(DAY).await;
        let seat = sessions.arrive(arrival("a", false, DAY)).unwrap();
        assert!(!seat.resumed, "its time was over");
        assert_eq!(seat.session.filters().len(), 0);
        drop(seat);
        tokio::time::advance(DAY).await;
        assert_eq!(sessions.sweep(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_clean_start_forgets_and_an_expiry_of_nothing_leaves_nothing() {
        let sessions = Arc::new(Sessions::new(10));
        let seat = sessions.arrive(arrival("a", false, DAY)).unwrap();
        seat.session.subscribe(TopicFilter::parse("t").unwrap(), 1, 9);
        drop(seat);
        let seat = sessions.arrive(arrival("a", true, Duration::ZERO)).unwrap();
        assert!(!seat.resumed);
        assert_eq!(seat.session.filters().len(), 0);
        drop(seat);
        assert!(sessions.get(&"a".into()).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_connects_again_takes_over_and_the_earlier_cannot_spoil_it() {
        let sessions = Arc::new(Sessions::new(10));
        let first = sessions.arrive(arrival("a", false, Duration::ZERO)).unwrap();
        let line = first.session.line().unwrap();
        let second = sessions.arrive(arrival("a", false, DAY)).unwrap();
        assert_eq!(line.order(), Order::TakenOver);
        assert!(second.took_over && second.resumed && !second.took_over_another);
        let other = Arrival { name: "another program".into(), ..arrival("a", false, DAY) };
        assert!(sessions.arrive(other).unwrap().took_over_another);
        let last = sessions.arrive(arrival("a", false, DAY)).unwrap();
        drop((first, second));
        assert!(sessions.get(&"a".into()).unwrap().line().is_some(), "the last still sits");
        drop(last);
    }

    #[tokio::test(start_paused = true)]
    async fn one_session_too_many_is_refused_until_another_is_forgotten() {
        let sessions = Arc::new(Sessions::new(1));
        drop(sessions.arrive(arrival("a", false, DAY)).unwrap());
        assert_eq!(sessions.arrive(arrival("b", false, DAY)).err(), Some(Full));
        tokio::time::advance(DAY).await;
        assert!(sessions.arrive(arrival("b", false, DAY)).is_ok());
        assert!(sessions.get(&"a".into()).is_none());
    }
}
