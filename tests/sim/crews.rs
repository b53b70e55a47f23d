//! Crews and their phones: they accept, refuse, ignore, answer late, go away, come back, and do the work.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rettidig::domain::event::Answer;
use rettidig::domain::task::RejectReason;
use rettidig::domain::time::Span;
use std::collections::{BTreeMap, BTreeSet};

pub struct Crew {
    pub name: &'static str,
    pub up: bool,
    /// Of its phone.
    pub connection: u64,
    pub seen: BTreeSet<u64>,
    /// What it believes it has to do: task → asset and kind.
    pub jobs: BTreeMap<u64, (String, String)>,
}

/// What a crew says about an offer, and when.
pub fn answers(rng: &mut ChaCha8Rng, well_behaved: bool) -> Vec<(Span, Answer)> {
    let soon = Span::from_secs(rng.random_range(5..40));
    let work = soon + Span::from_mins(rng.random_range(5..25));
    let done = work + Span::from_mins(rng.random_range(1..15));
    if well_behaved {
        return vec![(soon, Answer::Accepted), (done, Answer::Completed)];
    }
    match rng.random_range(0..10) {
        0 | 1 => vec![(soon, Answer::Rejected(RejectReason::Busy))],
        2 | 3 => Vec::new(),
        4 => vec![(work, Answer::Accepted), (done, Answer::Completed)],
        5 => vec![(soon, Answer::Accepted), (work, Answer::Rejected(RejectReason::Unsafe))],
        6 => vec![(soon, Answer::EnRoute), (work, Answer::OnSite), (done, Answer::Completed)],
        7 => vec![
            (soon, Answer::Accepted),
            (soon, Answer::Accepted),
            (done, Answer::Completed),
            (done, Answer::Completed),
        ],
        _ => vec![(soon, Answer::Accepted), (work, Answer::EnRoute), (done, Answer::Completed)],
    }
}
