//! Danish wall-clock time for simulated people: when streets are busy, when residents sleep, what a screen shows.
//!
//! It converts moments that it is given and reads no clock.

use crate::domain::time::Timestamp;
use jiff::tz::TimeZone;
use std::fmt::Write as _;

/// The municipality's time zone.
#[derive(Clone, Debug)]
pub(crate) struct Civil {
    zone: TimeZone,
}

/// A moment as people there call it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Local {
    /// Days since Monday, 0 to 6.
    pub weekday: usize,
    pub hour: usize,
    pub minute: usize,
}

const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

impl Civil {
    /// Danish time from the bundled time-zone data.
    pub(crate) fn danish() -> Self {
        Self { zone: TimeZone::get("Europe/Copenhagen").unwrap_or(TimeZone::UTC) }
    }

    pub(crate) fn local(&self, at: Timestamp) -> Local {
        let moment = self.zone.to_datetime(jiff_of(at));
        Local {
            weekday: moment.weekday().to_monday_zero_offset() as usize,
            hour: moment.hour() as usize,
            minute: moment.minute() as usize,
        }
    }

    /// `Mon 2026-09-07 06:30`, for a screen.
    pub(crate) fn face(&self, at: Timestamp) -> String {
        let local = self.local(at);
        let date = self.zone.to_datetime(jiff_of(at)).date();
        format!("{} {date} {:02}:{:02}", WEEKDAYS[local.weekday], local.hour, local.minute)
    }
}

/// RFC 3339 in UTC, as devices and network servers write it.
pub(crate) fn rfc3339(at: Timestamp) -> String {
    let mut text = String::with_capacity(27);
    // Writing into a string cannot fail.
    let _ = write!(text, "{}", jiff_of(at));
    text
}

/// The moment of an RFC 3339 text; none when it is no such text.
pub(crate) fn moment(text: &str) -> Option<Timestamp> {
    let parsed: jiff::Timestamp = text.parse().ok()?;
    Some(Timestamp::from_micros(parsed.as_microsecond()))
}

fn jiff_of(at: Timestamp) -> jiff::Timestamp {
    jiff::Timestamp::from_microsecond(at.as_micros()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summer_and_winter_time_differ_by_an_hour() {
        let civil = Civil::danish();
        let summer = moment("2026-09-07T04:00:00Z").unwrap();
        let winter = moment("2026-12-07T04:00:00Z").unwrap();
        assert_eq!(civil.local(summer), Local { weekday: 0, hour: 6, minute: 0 });
        assert_eq!(civil.local(winter), Local { weekday: 0, hour: 5, minute: 0 });
        assert_eq!(civil.face(summer), "Mon 2026-09-07 06:00");
    }

    #[test]
    fn a_moment_reads_back_what_was_written() {
        let at = Timestamp::from_micros(1_788_753_600_250_000);
        assert_eq!(rfc3339(at), "2026-09-07T04:00:00.25Z");
        assert_eq!(moment(&rfc3339(at)), Some(at));
        assert_eq!(moment("yesterday"), None);
    }
}
