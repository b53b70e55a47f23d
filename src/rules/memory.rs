//! What a rule remembers about one asset: one cell per stateful call, nothing else.
//!
//! The engine keeps it, and writes it to snapshots through `cells` and `from_cells`.

use crate::domain::time::Timestamp;

/// The memory of one rule for one asset. Empty until the rule is first evaluated.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    cells: Box<[HeldCell]>,
}

/// Since when the condition of one `held(…)` has been true; both empty while it is not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HeldCell {
    /// The newest `observed_at` among the values the condition reads, when it became true. Empty for a condition that
    /// reads no value, such as `silent()`.
    pub since_observed: Option<Timestamp>,
    /// When we learned that it is true.
    pub since_received: Option<Timestamp>,
}

impl Memory {
    #[must_use]
    pub fn from_cells(cells: Vec<HeldCell>) -> Self {
        Self { cells: cells.into_boxed_slice() }
    }

    #[must_use]
    pub fn cells(&self) -> &[HeldCell] {
        &self.cells
    }

    /// The cells of a rule with `count` of them. Memory of another shape belonged to another text of the rule: it says
    /// nothing about this one and is begun afresh.
    pub(super) fn shaped(&mut self, count: usize) -> &mut [HeldCell] {
        if self.cells.len() != count {
            self.cells = vec![HeldCell::default(); count].into_boxed_slice();
        }
        &mut self.cells
    }
}
