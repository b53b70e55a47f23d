//! Follows the journal and keeps the store up to it: read a batch, turn it into rows, keep it with its checkpoint.
//!
//! It is never in the way of a decision: it reads what is durable, at its own pace, and a store that is away only
//! makes it wait. An entry the store can never keep is set aside with its reason and the rest goes on.
//! Start with [`Projector::run`].

use super::rows::{self, Projected};
use super::{Retention, Store, StoreError, Tended};
use crate::domain::decision::Decision;
use crate::domain::event::Event;
use crate::domain::ids::{JournalId, PersonId, Seq};
use crate::domain::time::{Span, Timestamp};
use crate::telemetry::{self, Stopwatch};
use std::error::Error;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;
use tokio::runtime::Builder;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Rows kept in one transaction, where an entry counts for one and each row made of it for one more. An entry that has
/// more stands alone.
const BATCH_MAX: usize = 8_192;
/// As many entries as come while nobody hurries; with more, history must keep up.
const UNHURRIED_BEHIND: u64 = 2_048;
/// Rows kept by one thread that may be held up: it is to end soon once somebody hurries.
const UNHURRIED_MAX: usize = 2_048;
/// A store that does not manage a transaction in time is given smaller ones, down to this.
const BATCH_MIN: usize = 128;
/// Entries read at once. Each may hold as many values as a message may have, and all of them are in memory.
const READ_MAX: usize = 512;
/// Between two looks at the months ahead and at what is old enough to go.
const TEND_EVERY: Span = Span::from_hours(1);
const TEND_EVERY_AT_REST: Duration = Duration::from_secs(3_600);
/// A transaction for every commit of the journal would cost more than its rows: what follows within this time goes
/// with it.
const GATHER: Duration = Duration::from_millis(100);
const RETRY_FIRST: Duration = Duration::from_millis(100);
const RETRY_MAX: Duration = Duration::from_secs(30);
/// A transaction usually takes a tenth of a second. From here on history stands still, whatever may come of it.
const STANDS_STILL_AFTER: Duration = Duration::from_secs(5);

pub type Entry = (Seq, Timestamp, Event, Decision);

/// What sealing a value gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sealed {
    Bytes(Vec<u8>),
    /// The person's key has been erased: the value is not kept at all.
    Erased,
}

/// Durable entries from this seq on, at most that many, rising. An empty answer means there are none yet.
pub type Read = Box<dyn FnMut(Seq, usize) -> Result<Vec<Entry>, Box<dyn Error + Send + Sync>> + Send>;
/// Seals a value with a person's key; the text of a refusal is for the log and names no value.
pub type SealValue = dyn Fn(&PersonId, &[u8]) -> Result<Sealed, String> + Send + Sync;
pub type Seal = Arc<SealValue>;

/// What the projector needs from outside.
pub struct Ports {
    pub read: Read,
    pub seal: Seal,
    /// The last durable seq; each change wakes the projector.
    pub durable: watch::Receiver<Seq>,
    /// Without it nothing is ever forgotten.
    pub tending: Option<Tending>,
    /// What a thread calls that follows history while there is no hurry; none where it is to be as quick as any.
    pub unhurried: Option<fn()>,
}

/// When and how much history is forgotten.
pub struct Tending {
    pub retention: Retention,
    pub now: Box<dyn Fn() -> Timestamp + Send>,
}

/// How far the store is, for health, metrics and whoever waits for it; cheap to ask at any time.
#[derive(Debug)]
pub struct Progress {
    durable: watch::Receiver<Seq>,
    projected: watch::Sender<Seq>,
    set_aside: AtomicU64,
    failing: AtomicBool,
    /// Since when the store has been at what it was asked last.
    asked: Mutex<Option<Stopwatch>>,
}

pub struct Projector {
    worker: Worker,
    durable: watch::Receiver<Seq>,
    unhurried: Option<fn()>,
}

/// What projects, whoever waits for more.
struct Worker {
    source: Source,
    keeper: Keeper,
    tending: Option<Tending>,
    tended_at: Option<Timestamp>,
    /// The end of the journal at the start, until the store has been compared with it.
    begins_after: Option<Seq>,
}

/// Makes rows.
struct Source {
    read: Read,
    seal: Seal,
}

/// Keeps rows.
struct Keeper {
    store: Arc<dyn Store>,
    journal: JournalId,
    progress: Arc<Progress>,
    /// Rows that the store manages in one transaction, as far as is known.
    rows_max: usize,
}

/// Why history stands still for the moment.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error("read the journal")]
    Read(#[source] Box<dyn Error + Send + Sync>),
    #[error("seal a value of entry {seq}: {reason}")]
    Seal { seq: Seq, reason: String },
    /// Going on would mix two pasts.
    #[error(
        "history reaches event {kept} of this journal, which ended at {last} when the gateway started: the journal is an \
         older copy; `rettidig store rebuild` makes history again from it"
    )]
    Ahead { kept: Seq, last: Seq },
    /// The same, where the journal has grown past that event since.
    #[error(
        "history was made from another event {kept} than this journal holds: the journal goes on from an older copy; \
         `rettidig store rebuild` makes history again from it"
    )]
    OtherPast { kept: Seq },
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Progress {
    /// Of a store that is to follow a journal durable up to there.
    #[must_use]
    pub fn new(durable: watch::Receiver<Seq>) -> Self {
        let (projected, set_aside, failing) = (watch::Sender::default(), AtomicU64::new(0), AtomicBool::new(false));
        Self { durable, projected, set_aside, failing, asked: Mutex::new(None) }
    }

    /// The last durable entry.
    #[must_use]
    pub fn durable(&self) -> Seq {
        *self.durable.borrow()
    }

    /// Entries that are durable but not yet in the store, as of this moment, also while the store does not answer.
    #[must_use]
    pub fn behind(&self) -> u64 {
        self.durable().0.saturating_sub(self.projected().0)
    }

    /// History stands still, or there is more to keep than goes into one transaction. What is merely on its way is not
    /// late.
    #[must_use]
    pub fn late(&self) -> bool {
        self.failing() || self.behind() > BATCH_MAX as u64
    }

    /// The last entry known to be kept.
    #[must_use]
    pub fn projected(&self) -> Seq {
        *self.projected.borrow()
    }

    /// The store keeps everything up to here.
    pub fn kept(&self, seq: Seq) {
        self.projected.send_if_modified(|kept| std::mem::replace(kept, seq) != seq);
    }

    /// Waits until this entry is kept, for as long as it takes.
    pub async fn reaches(&self, seq: Seq) {
        // The sender is part of `self`: it cannot go before.
        self.projected.subscribe().wait_for(|kept| *kept >= seq).await.ok();
    }

    /// Entries set aside since the start.
    #[must_use]
    pub fn set_aside(&self) -> u64 {
        self.set_aside.load(Ordering::Relaxed)
    }

    /// The last attempt failed and is being repeated, or the store has not answered for long.
    #[must_use]
    pub fn failing(&self) -> bool {
        let silent = || self.asked().is_some_and(|since| since.elapsed() >= STANDS_STILL_AFTER);
        self.failing.load(Ordering::Relaxed) || silent()
    }

    /// Asks the store for something that it should not take long for.
    fn ask<T>(&self, question: impl FnOnce() -> T) -> T {
        *self.asked() = Some(telemetry::stopwatch());
        let answer = question();
        *self.asked() = None;
        answer
    }

    /// What is in it is whole, also after a panic.
    fn asked(&self) -> MutexGuard<'_, Option<Stopwatch>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Projector {
    #[must_use]
    pub fn new(store: Arc<dyn Store>, journal: JournalId, ports: Ports) -> Self {
        let Ports { read, seal, durable, tending, unhurried } = ports;
        let progress = Arc::new(Progress::new(durable.clone()));
        let begins_after = Some(*durable.borrow());
        let source = Source { read, seal };
        let keeper = Keeper { store, journal, progress, rows_max: BATCH_MAX };
        let worker = Worker { source, keeper, tending, tended_at: None, begins_after };
        Self { worker, durable, unhurried }
    }

    #[must_use]
    pub fn progress(&self) -> Arc<Progress> {
        Arc::clone(&self.worker.keeper.progress)
    }

    /// Runs until `shutdown`, on the thread that calls it; what is durable by then is projected first, unless the store
    /// is failing.
    ///
    /// # Errors
    /// When the system cannot give a timer.
    pub fn run(mut self, shutdown: &CancellationToken) -> std::io::Result<()> {
        let waiting = Builder::new_current_thread().enable_time().build()?;
        let mut retry = RETRY_FIRST;
        loop {
            let Ok(outcome) = panic::catch_unwind(AssertUnwindSafe(|| self.follow())) else {
                tracing::error!("the projector has panicked; history stands still until the next start");
                self.worker.keeper.progress.failing.store(true, Ordering::Relaxed);
                return Ok(());
            };
            let go_on = match outcome {
                Ok(()) => {
                    retry = RETRY_FIRST;
                    waiting.block_on(self.more(shutdown))
                }
                Err(failure) => {
                    telemetry::store::failed();
                    tracing::warn!(error = &failure as &dyn Error, "the store does not take history; trying again");
                    let waited = waiting.block_on(pause(retry, shutdown));
                    retry = (retry * 2).min(RETRY_MAX);
                    waited
                }
            };
            if !go_on {
                return Ok(());
            }
        }
    }

    /// Brings the store up to what is durable now.
    fn follow(&mut self) -> Result<(), Failure> {
        let Self { worker, durable, unhurried } = self;
        let through = *durable.borrow_and_update();
        let progress = &worker.keeper.progress;
        let outcome = match *unhurried {
            _ if progress.late() => worker.catch_up(through, |_| {}),
            Some(step_back) if progress.behind() <= UNHURRIED_BEHIND => worker.follow_unhurried(through, step_back),
            Some(_) | None => worker.follow(through),
        };
        if outcome.is_ok() {
            worker.tend();
        }
        worker.keeper.progress.failing.store(outcome.is_err(), Ordering::Relaxed);
        outcome
    }

    /// Waits until there is something to do, and a moment more for company; false when nothing will come any more.
    async fn more(&mut self, shutdown: &CancellationToken) -> bool {
        let durable = &mut self.durable;
        if shutdown.is_cancelled() && !durable.has_changed().unwrap_or(false) {
            return false;
        }
        tokio::select! {
            () = shutdown.cancelled() => {}
            changed = durable.changed() => {
                if changed.is_err() {
                    return false;
                }
                // Whether it came or not, there is a batch to keep.
                pause(GATHER, shutdown).await;
            }
            () = tokio::time::sleep(self.worker.rest()) => {}
        }
        true
    }
}

/// False when `shutdown` came first.
async fn pause(duration: Duration, shutdown: &CancellationToken) -> bool {
    tokio::select! {
        () = shutdown.cancelled() => false,
        () = tokio::time::sleep(duration) => true,
    }
}

/// Projects a journal up to `through` into an empty store and tells `seen` how far it is; ends at the first failure.
///
/// # Errors
/// When the journal or the store cannot be used; the store then holds a part, with its checkpoint.
pub fn rebuild(
    store: Arc<dyn Store>,
    journal: JournalId,
    read: Read,
    seal: Seal,
    through: Seq,
    mut seen: impl FnMut(Seq),
) -> Result<Arc<Progress>, Failure> {
    let progress = Arc::new(Progress::new(watch::channel(through).1));
    let keeper = Keeper { store, journal, progress: Arc::clone(&progress), rows_max: BATCH_MAX };
    let source = Source { read, seal };
    let mut worker = Worker { source, keeper, tending: None, tended_at: None, begins_after: None };
    worker.catch_up(through, &mut seen)?;
    Ok(progress)
}

impl Worker {
    /// The last entry the store keeps.
    fn kept(&mut self) -> Result<Seq, Failure> {
        let Keeper { store, journal, progress, .. } = &self.keeper;
        let kept = progress.ask(|| store.checkpoint(*journal))?.unwrap_or_default();
        if let Some(last) = self.begins_after {
            if kept > last {
                return Err(Failure::Ahead { kept, last });
            }
            self.same_past(kept)?;
            self.begins_after = None;
        }
        self.keeper.progress.kept(kept);
        Ok(kept)
    }

    /// The last entry the store keeps is the one that the journal holds, as far as both still know it.
    fn same_past(&mut self, kept: Seq) -> Result<(), Failure> {
        let kept_at = if kept > Seq(0) { self.keeper.store.kept_at(self.keeper.journal, kept)? } else { None };
        let Some(kept_at) = kept_at else { return Ok(()) };
        let entries = (self.source.read)(kept, 1).map_err(Failure::Read)?;
        let other = entries.first().is_some_and(|(seq, at, ..)| *seq == kept && *at != kept_at);
        if other { Err(Failure::OtherPast { kept }) } else { Ok(()) }
    }

    /// Projects everything up to `through`, batch by batch.
    fn follow(&mut self, through: Seq) -> Result<(), Failure> {
        let mut kept = self.kept()?;
        while kept < through {
            let batch = self.source.gather(kept.next(), through, self.keeper.rows_max)?;
            let Some(last) = self.keeper.keep_all(&batch)? else { break };
            kept = last;
        }
        Ok(())
    }

    /// The same where nobody hurries, by threads that give way to every other: a system lets a thread into that class
    /// only for the thread's whole life. Each does little, because it may be held up while it holds a place in the
    /// journal's log.
    fn follow_unhurried(&mut self, through: Seq, step_back: fn()) -> Result<(), Failure> {
        let mut kept = self.kept()?;
        while kept < through {
            let (source, keeper) = (&mut self.source, &mut self.keeper);
            let last = thread::scope(|scope| {
                let keeping = || {
                    step_back();
                    let batch = source.gather(kept.next(), through, UNHURRIED_MAX.min(keeper.rows_max))?;
                    keeper.keep_all(&batch)
                };
                let thread = thread::Builder::new().name("history".to_owned()).spawn_scoped(scope, keeping);
                let ended = thread.map_err(|error| Failure::Read(Box::new(error)))?.join();
                ended.unwrap_or_else(|panic| panic::resume_unwind(panic))
            })?;
            let Some(last) = last else { break };
            kept = last;
        }
        Ok(())
    }

    /// Projects everything up to `through`: the rows of the next batch are made while the store keeps the last, and
    /// `seen` is told of each that is kept.
    fn catch_up(&mut self, through: Seq, mut seen: impl FnMut(Seq)) -> Result<(), Failure> {
        let mut next = self.kept()?.next();
        let Self { source, keeper, .. } = self;
        let rows_max = keeper.rows_max;
        thread::scope(|scope| {
            let (ready, batches) = sync_channel(1);
            let making = thread::Builder::new().name("rows".to_owned()).spawn_scoped(scope, move || {
                while next <= through {
                    let batch = source.gather(next, through, rows_max);
                    let last = batch.as_ref().ok().and_then(|batch| batch.last()).map(|entry| entry.seq);
                    // Nobody takes it when the store has failed.
                    if ready.send(batch).is_err() {
                        return;
                    }
                    let Some(last) = last else { return };
                    next = last.next();
                }
            });
            making.map_err(|error| Failure::Read(Box::new(error)))?;
            for batch in batches {
                if let Some(last) = keeper.keep_all(&batch?)? {
                    seen(last);
                }
            }
            Ok(())
        })
    }

    /// Looks after the months, now and then. What fails waits for the next time: history itself goes on. What is too
    /// much for one time goes on after the next batch.
    fn tend(&mut self) {
        let Some(tending) = &self.tending else { return };
        let now = (tending.now)();
        if self.tended_at.is_some_and(|last| now.since(last) < TEND_EVERY) {
            return;
        }
        self.tended_at = match self.keeper.store.tend(now, &tending.retention) {
            Ok(Tended::All) => Some(now),
            Ok(Tended::Part) => None,
            Err(error) => {
                tracing::warn!(error = &error as &dyn Error, "old history was not removed; the next time tries again");
                Some(now)
            }
        };
    }

    /// Until the next look at what is old enough, when nothing else happens.
    fn rest(&self) -> Duration {
        let more_to_tend = self.tending.is_some() && self.tended_at.is_none();
        if more_to_tend { GATHER } else { TEND_EVERY_AT_REST }
    }
}

impl Source {
    /// Entries from this one on as rows: about as many as fit one transaction.
    fn gather(&mut self, from: Seq, through: Seq, rows_max: usize) -> Result<Vec<Projected>, Failure> {
        let (mut projected, mut rows, mut next) = (Vec::new(), 0, from);
        while rows < rows_max && next <= through {
            let mut entries = (self.read)(next, READ_MAX.min(rows_max)).map_err(Failure::Read)?;
            entries.retain(|(seq, ..)| *seq <= through);
            let Some((last, ..)) = entries.last() else { break };
            next = last.next();
            for entry in &entries {
                let entry = self.rows(entry)?;
                rows += weight(&entry);
                projected.push(entry);
            }
        }
        Ok(projected)
    }

    fn rows(&self, (seq, at, event, decision): &Entry) -> Result<Projected, Failure> {
        rows::project(*at, event, decision, &*self.seal).map_err(|reason| Failure::Seal { seq: *seq, reason })
    }
}

impl Keeper {
    /// Keeps these entries in as many transactions as they need; the last of them, or none when there are none.
    fn keep_all(&mut self, projected: &[Projected]) -> Result<Option<Seq>, Failure> {
        let stopwatch = telemetry::stopwatch();
        for batch in batches(projected, self.rows_max) {
            let progress = Arc::clone(&self.progress);
            if let Err(error) = progress.ask(|| self.keep(batch)) {
                // What was kept before it stays; the rest comes again, in smaller pieces.
                self.rows_max = (self.rows_max / 2).max(BATCH_MIN);
                return Err(error.into());
            }
            self.rows_max = (self.rows_max * 2).min(BATCH_MAX);
            // Whatever the last attempt came to, this one did not fail.
            progress.failing.store(false, Ordering::Relaxed);
            if let Some(last) = batch.last() {
                self.progress.kept(last.seq);
            }
        }
        if !projected.is_empty() {
            telemetry::store::projected(&stopwatch, projected.len());
        }
        Ok(projected.last().map(|entry| entry.seq))
    }

    /// Keeps a batch; when something in it can never be kept, halves it until that entry stands alone.
    fn keep(&self, entries: &[Projected]) -> Result<(), StoreError> {
        match self.store.project(self.journal, entries) {
            Ok(()) => Ok(()),
            Err(error) if error.retryable() => Err(error),
            Err(error) => {
                if let [entry] = entries {
                    return self.set_aside(entry, &error);
                }
                let (first, second) = entries.split_at(entries.len() / 2);
                self.keep(first)?;
                self.keep(second)
            }
        }
    }

    fn set_aside(&self, entry: &Projected, error: &StoreError) -> Result<(), StoreError> {
        let mut reason = error.to_string();
        if let Some(source) = error.source() {
            reason = format!("{reason}: {source}");
        }
        tracing::warn!(seq = entry.seq.0, reason, "an entry does not fit the store and was set aside");
        self.store.set_aside(self.journal, entry.seq, entry.at, &reason)?;
        self.progress.set_aside.fetch_add(1, Ordering::Relaxed);
        telemetry::store::set_aside();
        Ok(())
    }
}

fn weight(entry: &Projected) -> usize {
    1 + entry.rows.len()
}

/// Cuts entries into pieces of at most so many rows; an entry that has more is a piece of its own.
fn batches(mut entries: &[Projected], rows_max: usize) -> impl Iterator<Item = &[Projected]> {
    std::iter::from_fn(move || {
        let mut rows = 0;
        let fit = entries.iter().take_while(|entry| {
            rows += weight(entry);
            rows <= rows_max
        });
        let (batch, rest) = entries.split_at_checked(fit.count().max(1))?;
        entries = rest;
        Some(batch)
    })
}
