//! Log lines that strangers can cause, at most one a minute: a counter tells how many there really were.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

const EVERY: Duration = Duration::from_secs(60);

/// Lets one line pass a minute, and says how many it kept back.
#[derive(Debug, Default)]
pub struct Seldom(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    quiet_until: Option<Instant>,
    kept_back: u64,
}

impl Seldom {
    #[must_use]
    pub const fn new() -> Self {
        Self(Mutex::new(State { quiet_until: None, kept_back: 0 }))
    }

    /// How many lines were kept back since the last, when one may be written.
    pub fn may_speak(&self) -> Option<u64> {
        let now = Instant::now();
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.quiet_until.is_some_and(|until| now < until) {
            state.kept_back += 1;
            return None;
        }
        state.quiet_until = Some(now + EVERY);
        Some(std::mem::take(&mut state.kept_back))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_line_a_minute_and_the_number_of_the_others() {
        let seldom = Seldom::new();
        assert_eq!([seldom.may_speak(), seldom.may_speak(), seldom.may_speak()], [Some(0), None, None]);
        tokio::time::advance(EVERY).await;
        assert_eq!([seldom.may_speak(), seldom.may_speak()], [Some(2), None]);
    }
}
