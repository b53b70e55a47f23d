//! An engine led along a journal: from its start or a snapshot, record by record.

use crate::domain::ids::Seq;
use crate::engine::{Engine, Limits};
use crate::journal::{Entry, JournalError, Reader, Snapshot, restore_engine};

/// Records read at once.
const AT_ONCE: usize = 4_096;

/// The engine before the first record that follows the snapshot, or before everything.
pub(super) fn begin(snapshot: Option<&Snapshot>) -> Result<Engine, JournalError> {
    match snapshot {
        Some(snapshot) => restore_engine(Limits::default(), snapshot, 0),
        None => Ok(Engine::new(Limits::default())),
    }
}

/// Hands over each record from `from` to `through`; ends early where the journal does, or when `each` says so.
pub(super) fn each_entry(
    reader: &mut Reader,
    from: Seq,
    through: Seq,
    mut each: impl FnMut(&Entry) -> bool,
) -> Result<(), JournalError> {
    each_batch(reader, from, through, |entries| entries.iter().all(&mut each))
}

/// The same, some records at once.
pub(super) fn each_batch(
    reader: &mut Reader,
    from: Seq,
    through: Seq,
    mut each: impl FnMut(Vec<Entry>) -> bool,
) -> Result<(), JournalError> {
    let mut next = from;
    while next <= through {
        let wanted = usize::try_from(through.0 - next.0 + 1).map_or(AT_ONCE, |left| left.min(AT_ONCE));
        let entries = reader.read(next, wanted)?;
        let Some(last) = entries.last() else { return Ok(()) };
        next = last.seq.next();
        if !each(entries) {
            return Ok(());
        }
    }
    Ok(())
}
