//! `rettidig store`: how history is, and whether it is what the journal says.
//!
//! A rebuild clears the store and projects the journal again; with `--verify` nothing is changed: the journal is
//! projected beside the live store and both are compared row by row. Either needs the data folder for itself.

use super::{Outcome, complain, load, render, say};
use crate::app::clock::Clock;
use crate::app::data_folder::{DataFolder, DataFolderError};
use crate::app::foundation::{random_bytes, sealing};
use crate::app::history::{reading, seal};
use crate::app::{Source, stores};
use crate::config::Settings;
use crate::domain::ids::{JournalId, Seq};
use crate::journal::{JournalError, Reader, Verified, moment, verify_end};
use crate::store::{self, Compared, PostgresStore, Scope, SqliteStore, Store, StoreError, Tended, compare};
use crate::vault::{self, Vault};
use anyhow::Context as _;
use clap::Subcommand;
use serde_json::json;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[derive(Subcommand)]
pub enum StoreCommand {
    /// Which database it is, how far behind the journal, how large
    Status {
        /// One JSON object instead of text
        #[arg(long)]
        json: bool,
    },
    /// Clear history and project the whole journal again; no gateway may run
    Rebuild {
        /// Change nothing: compare history with what the journal gives, row by row; exit code 1 when they differ
        #[arg(long)]
        verify: bool,
        /// Also when the journal no longer holds what some of the history was made from
        #[arg(long, conflicts_with = "verify")]
        lose_older: bool,
        /// One JSON object instead of text
        #[arg(long)]
        json: bool,
    },
}

/// # Errors
/// When journal or store fail.
pub fn store(source: &Source, command: &StoreCommand) -> anyhow::Result<Outcome> {
    let settings = match load(source) {
        Ok(loaded) => loaded.settings,
        Err(outcome) => return Ok(outcome),
    };
    match *command {
        StoreCommand::Status { json } => status(&settings, json),
        StoreCommand::Rebuild { verify, lose_older, json } => {
            alone(
                &settings,
                verify,
                |ground| {
                    if verify { verify_live(ground, json) } else { rebuild(ground, lose_older, json) }
                },
            )
        }
    }
}

fn status(settings: &Settings, json: bool) -> anyhow::Result<Outcome> {
    let data = &settings.data.folder;
    let place = stores::place(&settings.store, data);
    let looked = stores::open_to_read(&settings.store, data)
        .and_then(|store| store.map(|store| store.state().map(|state| (store, state))).transpose());
    let (store, state) = match looked {
        Ok(Some(looked)) => looked,
        Ok(None) => {
            complain(&format!("there is no history at {place}; a gateway that runs makes it"));
            return Ok(Outcome::Unavailable);
        }
        Err(error) => return unavailable(error),
    };
    let journal = match verify_end(&data.join("journal")) {
        Ok(journal) => Some(journal),
        Err(JournalError::Empty { .. }) => None,
        Err(error) => return Err(error).context("read the journal"),
    };
    let projected = |id: &str| state.journals.iter().find(|(known, _)| known == id).map_or(Seq(0), |(_, seq)| *seq);
    let behind = journal
        .as_ref()
        .map_or(0, |journal| journal.last.0.saturating_sub(projected(&journal.journal_id.to_string()).0));
    let past = match &journal {
        Some(journal) => past(&*store, data, journal, projected(&journal.journal_id.to_string()))?,
        None => Past::Same,
    };
    if json {
        let journals = state.journals.iter().map(|(id, seq)| json!({ "journal": id, "projected": seq.0 }));
        say(&serde_json::to_string_pretty(&json!({
            "version": 1,
            "place": place,
            "database": state.database,
            "tables": state.version,
            "journals": journals.collect::<Vec<_>>(),
            "behind": behind,
            "past": past.name(),
            "set_aside": state.set_aside,
            "bytes": state.bytes,
            "months": state.months,
        }))?);
        past.complain();
        return Ok(Outcome::Done);
    }
    say(&format!("place      {place}"));
    say(&format!("database   {}, tables of version {}", state.database, state.version));
    for (id, seq) in &state.journals {
        say(&format!("journal    {id}: projected up to event {seq}"));
    }
    say(&format!("behind     {behind} events"));
    say(&format!("set aside  {} events", state.set_aside));
    say(&format!("size       {:.1} MiB", state.bytes as f64 / f64::from(1 << 20)));
    if let (Some(first), Some(last)) = (state.months.first(), state.months.last()) {
        say(&format!("months     {first} to {last}"));
    }
    past.complain();
    Ok(Outcome::Done)
}

/// Whether history was made from what the journal holds.
enum Past {
    /// As far as both still know it.
    Same,
    Ahead {
        kept: Seq,
        last: Seq,
    },
    Other {
        kept: Seq,
    },
}

fn past(store: &dyn Store, data: &Path, journal: &Verified, kept: Seq) -> anyhow::Result<Past> {
    let last = journal.last;
    if kept > last {
        return Ok(Past::Ahead { kept, last });
    }
    let in_history = store.kept_at(journal.journal_id, kept)?;
    let in_journal = moment(&data.join("journal"), kept).context("read the journal")?;
    let other = in_history.zip(in_journal).is_some_and(|(in_history, in_journal)| in_history != in_journal);
    Ok(if other { Past::Other { kept } } else { Past::Same })
}

impl Past {
    const fn name(&self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Ahead { .. } => "ahead",
            Self::Other { .. } => "other",
        }
    }

    /// What a gateway waits for before it takes anything in.
    fn complain(&self) {
        match *self {
            Self::Same => {}
            Self::Ahead { kept, last } => complain(&format!(
                "history reaches event {kept} of this journal, which ends at {last}: the journal is an older copy; \
                 `rettidig store rebuild` makes history again from it"
            )),
            Self::Other { kept } => complain(&store::Failure::OtherPast { kept }.to_string()),
        }
    }
}

/// What a rebuild stands on.
struct Ground<'a> {
    settings: &'a Settings,
    folder: DataFolder,
    vault: Vault,
    clock: Clock,
    journal: Verified,
    live: Arc<dyn Store>,
}

fn alone(
    settings: &Settings,
    verify: bool,
    work: impl FnOnce(&Ground<'_>) -> anyhow::Result<Outcome>,
) -> anyhow::Result<Outcome> {
    let folder = &settings.data.folder;
    if !folder.is_dir() {
        complain(&format!("there is no data folder at \"{}\"; a gateway that runs makes it", folder.display()));
        return Ok(Outcome::Unavailable);
    }
    let folder = match DataFolder::own(folder) {
        Ok(folder) => folder,
        Err(error @ DataFolderError::Held { .. }) => {
            complain(&error.to_string());
            return Ok(Outcome::Unavailable);
        }
        Err(error) => return Err(error.into()),
    };
    let journal = match verify_end(&folder.journal()) {
        Ok(journal) => journal,
        Err(JournalError::Empty { .. }) => {
            complain("the journal is empty: nothing has happened yet");
            return Ok(Outcome::Unavailable);
        }
        Err(error) => return Err(error).context("read the journal"),
    };
    let clock = Clock::wall();
    let live = match live(settings, folder.root(), &clock, journal.journal_id, verify) {
        Ok(live) => live,
        Err(error) => return unavailable(error),
    };
    let vault = Vault::open(vault::Options::new(folder.vault())).context("open the vault")?;
    work(&Ground { settings, folder, vault, clock, journal, live })
}

/// The live store, which answers. What is to be made again may be damaged or lack tables.
fn live(
    settings: &Settings,
    data: &Path,
    clock: &Clock,
    journal: JournalId,
    verify: bool,
) -> Result<Arc<dyn Store>, StoreError> {
    if verify {
        let live = stores::open(&settings.store, data)?;
        live.checkpoint(journal)?;
        return Ok(live);
    }
    let (live, said) = stores::open_or_begin_anew(&settings.store, data, clock.now(), true)?;
    if let Some(said) = said {
        complain(&said);
    }
    match live.checkpoint(journal) {
        Ok(_) | Err(StoreError::Incomplete { .. }) => Ok(live),
        Err(error) => Err(error),
    }
}

fn unavailable(error: StoreError) -> anyhow::Result<Outcome> {
    if matches!(
        error,
        StoreError::Away { .. }
            | StoreError::Damaged { .. }
            | StoreError::Incomplete { .. }
            | StoreError::Newer { .. }
            | StoreError::Unusable(_)
    ) {
        complain(&error.to_string());
        return Ok(Outcome::Unavailable);
    }
    Err(error.into())
}

fn rebuild(ground: &Ground<'_>, lose_older: bool, json: bool) -> anyhow::Result<Outcome> {
    let Verified { journal_id, first, last, .. } = ground.journal;
    let journals = match ground.live.checkpoint(journal_id) {
        Ok(_) => ground.live.state()?.journals,
        // What is left may still tell what it was made from.
        Err(StoreError::Incomplete { .. }) => {
            ground.live.state().map_or_else(|_| vec![(journal_id.to_string(), last)], |state| state.journals)
        }
        Err(error) => return Err(error.into()),
    };
    let (own, others): (Vec<_>, Vec<_>) = journals.into_iter().partition(|(id, _)| *id == journal_id.to_string());
    let (others, kept) = (others.len(), own.first().map_or(Seq(0), |(_, kept)| *kept));
    if !lose_older && (others > 0 || (first > Seq(1) && kept >= first)) {
        complain(&format!(
            "the journal begins at event {first}, and {others} other journals have been projected: history of what it \
             no longer holds would be lost for ever; add --lose-older to go on, or --verify to compare only"
        ));
        return Ok(Outcome::NotDone);
    }
    ground.live.clear()?;
    let set_aside = ground.project(&ground.live, last)?;
    while ground.live.tend(ground.clock.now(), &stores::retention(&ground.settings.store))? == Tended::Part {}
    if json {
        let told = json!({ "version": 1, "rebuilt": true, "first": first.0, "last": last.0, "set_aside": set_aside });
        say(&serde_json::to_string_pretty(&told)?);
    } else {
        say(&format!("history is rebuilt from events {first} to {last}; {set_aside} set aside"));
    }
    Ok(Outcome::Done)
}

fn verify_live(ground: &Ground<'_>, json: bool) -> anyhow::Result<Outcome> {
    let journal = ground.journal.journal_id;
    let through = ground.live.checkpoint(journal)?.unwrap_or_default();
    let scratch = Scratch::new(ground.settings, ground.folder.root())?;
    ground.project(&scratch.store, through)?;
    let open = |person: &_, sealed: &[u8]| ground.vault.open_sealed(person, sealed).ok().flatten();
    let others = ground.live.state()?.journals.iter().any(|(id, _)| *id != journal.to_string());
    let cutoff = stores::retention(&ground.settings.store).cutoff(ground.clock.now());
    let first = ground.journal.first;
    let scope = Scope { journal, first, cutoff, other_journals: others, open: &open };
    let found = compare(&*ground.live, &*scratch.store, &scope).context("compare the two")?;
    drop(scratch);
    let same = found.iter().all(|table| table.differences == 0);
    let behind = ground.journal.last.0.saturating_sub(through.0);
    if json {
        let tables: Vec<_> = found.iter().map(wire).collect();
        say(&serde_json::to_string_pretty(&json!({
            "version": 1,
            "same": same,
            "first": first.0,
            "through": through.0,
            "behind": behind,
            "tables": tables,
        }))?);
    } else {
        tell(&found, first, through, behind);
    }
    if same {
        return Ok(Outcome::Done);
    }
    complain("history differs from what the journal gives; `rettidig store rebuild` makes it again");
    Ok(Outcome::NotDone)
}

fn tell(found: &[Compared], first: Seq, through: Seq, behind: u64) {
    let cells = |table: &Compared| {
        let numbers = [table.live, table.rebuilt, table.differences, table.erased].map(|number| number.to_string());
        let shown = if table.compared { numbers } else { ["not compared", "", "", ""].map(str::to_owned) };
        [table.table.to_owned()].into_iter().chain(shown).collect()
    };
    say(&render::table(&["table", "live", "rebuilt", "different", "erased"], found.iter().map(cells).collect()));
    for table in found {
        for difference in &table.shown {
            say(&format!("{}: {}: {}", table.table, difference.row, difference.what));
        }
    }
    if through >= first {
        say(&format!("compared from event {first} to {through}"));
    }
    if behind > 0 {
        say(&format!("behind by {behind} events, which history does not hold yet; a gateway that runs brings them"));
    }
}

fn wire(table: &Compared) -> serde_json::Value {
    let shown = table.shown.iter().map(|difference| json!({ "row": difference.row, "what": difference.what }));
    json!({
        "table": table.table,
        "compared": table.compared,
        "live": table.live,
        "rebuilt": table.rebuilt,
        "differences": table.differences,
        "erased": table.erased,
        "shown": shown.collect::<Vec<_>>(),
    })
}

impl Ground<'_> {
    /// Projects what the journal holds up to `through`; how many entries did not fit.
    fn project(&self, store: &Arc<dyn Store>, through: Seq) -> anyhow::Result<u64> {
        let sealing = sealing(&self.vault, &self.clock);
        let read = reading(Reader::open(self.folder.journal(), sealing.clone())?);
        let shown = io::stderr().is_terminal();
        let seen = |seq| {
            if shown {
                write!(io::stderr(), "\r\x1b[Kprojected event {seq} of {through}").ok();
            }
        };
        let progress = store::rebuild(Arc::clone(store), self.journal.journal_id, read, seal(&sealing), through, seen)?;
        if shown {
            // The line of progress goes; a terminal that is gone needs nothing.
            write!(io::stderr(), "\r\x1b[K").ok();
        }
        Ok(progress.set_aside())
    }
}

/// A store beside the live one; it goes with this value.
struct Scratch {
    store: Arc<dyn Store>,
    place: Place,
}

enum Place {
    Postgres(Arc<PostgresStore>),
    File(PathBuf),
}

impl Scratch {
    fn new(settings: &Settings, data: &Path) -> anyhow::Result<Self> {
        if let Some(options) = stores::postgres(&settings.store) {
            let number = u64::from_le_bytes(random_bytes()?);
            let store = PostgresStore::scratch(options, number)
                .context("make a schema to compare with; the login must be allowed to create one")?;
            let store = Arc::new(store);
            return Ok(Self { store: store.clone(), place: Place::Postgres(store) });
        }
        let path = data.join("verify.db");
        // What a killed run left behind.
        remove_database(&path);
        let store = Arc::new(SqliteStore::open(&path)?);
        Ok(Self { store, place: Place::File(path) })
    }

    fn remove(&self) -> anyhow::Result<()> {
        match &self.place {
            Place::Postgres(store) => Ok(store.remove_schema()?),
            Place::File(path) => {
                remove_database(path);
                Ok(())
            }
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Again where it has been done; what cannot go is named for the operator.
        if let Err(error) = self.remove() {
            complain(&format!("the schema used for comparing was not removed: {error:#}"));
        }
    }
}

/// A SQLite file and the two beside it; what is not there need not go.
fn remove_database(path: &Path) {
    for ending in ["", "-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(ending);
        drop(std::fs::remove_file(name));
    }
}
