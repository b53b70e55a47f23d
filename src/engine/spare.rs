//! Lists that deciding fills and empties: kept, so that a message allocates none. They are empty between two events and no
//! part of the state.

use super::arrivals::Arrival;
use super::conditions::{Finding, Judged};
use crate::rules::{Outcome, Question};

/// What a list may be long for and be kept: a backlog in one message leaves nothing behind.
const KEPT_MAX: usize = 1_024;

#[derive(Default)]
pub(super) struct Spare {
    pub arrival: Arrival,
    pub answers: Vec<(Question, Outcome)>,
    pub findings: Vec<Finding>,
    pub judged: Vec<Judged>,
}

/// Lends the list; it comes back by `give_back`.
pub(super) fn lend<T>(list: &mut Vec<T>) -> Vec<T> {
    std::mem::take(list)
}

pub(super) fn give_back<T>(list: &mut Vec<T>, mut used: Vec<T>) {
    used.clear();
    if used.capacity() > list.capacity() && used.capacity() <= KEPT_MAX {
        *list = used;
    }
}
