//! How many messages a client may send in a second.
//!
//! A window of one second opens with the first message after the last one closed. When its number is used up, the
//! connection reads no further until the window closes: the client is slowed down, nothing is refused. No clock is
//! read here; the connection says what time it is.

use std::time::Duration;
use tokio::time::Instant;

const WINDOW: Duration = Duration::from_secs(1);

/// One client's rate.
#[derive(Debug)]
pub(super) struct Pace {
    messages_max: u32,
    used: u32,
    opened: Instant,
}

impl Pace {
    pub fn new(messages_per_s_max: u32, now: Instant) -> Self {
        Self { messages_max: messages_per_s_max.max(1), used: 0, opened: now }
    }

    /// Opens another window when the last one's second is over.
    pub fn look_at(&mut self, now: Instant) {
        if now.saturating_duration_since(self.opened) >= WINDOW {
            self.opened = now;
            self.used = 0;
        }
    }

    /// Counts one message; true when it was the last of its window.
    pub fn count(&mut self) -> bool {
        self.used += 1;
        self.used == self.messages_max
    }

    /// When the next message may be read, if not at once.
    pub fn closed_until(&self) -> Option<Instant> {
        (self.used >= self.messages_max).then(|| self.opened + WINDOW)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_full_window_stays_closed_until_its_second_is_over() {
        let start = Instant::now();
        let mut pace = Pace::new(2, start);
        assert!(!pace.count());
        assert_eq!(pace.closed_until(), None);
        assert!(pace.count());
        pace.look_at(start + Duration::from_millis(999));
        assert_eq!(pace.closed_until(), Some(start + WINDOW));
        pace.look_at(start + WINDOW);
        assert_eq!(pace.closed_until(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_limit_of_nothing_still_lets_one_message_through() {
        let start = Instant::now();
        let mut pace = Pace::new(0, start);
        assert_eq!(pace.closed_until(), None);
        assert!(pace.count());
    }
}
