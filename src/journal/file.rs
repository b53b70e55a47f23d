//! One file of the journal: a SQLite database in WAL mode with a header row and one row per event.
//!
//! A file is made under an unfinished name, closed, made durable and only then given its name, so that it is whole
//! or not there. Rows are handed on as they stand; what they mean is `record`'s.

use super::chain::{self, Chain};
use super::error::{JournalError, Part};
use super::fault::{Gate, Reach, Step, halve};
use super::layout::{self, JOURNAL};
use super::options::Durability;
use crate::domain::ids::{JournalId, Seq};
use crate::domain::time::Timestamp;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, OptionalExtension};
use std::fs;
use std::path::{Path, PathBuf};

/// The version of the tables below.
const FORMAT: u32 = 1;
/// "Rttd": what `file` and SQLite tools show as the application of the file.
const APPLICATION: i32 = 0x5274_7464;

/// How long a write-ahead log becomes before it starts over, and is from the beginning.
pub(super) const LOG_PAGES: u64 = 16_384;
const LOG_BYTES: u64 = LOG_PAGES * 4_096;

const CACHE: &str = "PRAGMA cache_size = -8192;";

const TABLES: &str = "
    CREATE TABLE header (
        id          INTEGER PRIMARY KEY CHECK (id = 1),
        journal_id  BLOB NOT NULL,
        first_seq   INTEGER NOT NULL,
        prior_at    INTEGER NOT NULL,
        prior_chain BLOB NOT NULL,
        hash        BLOB NOT NULL
    ) STRICT;
    CREATE TABLE entry (
        seq    INTEGER PRIMARY KEY,
        at     INTEGER NOT NULL,
        record BLOB NOT NULL,
        crc32c INTEGER NOT NULL,
        chain  BLOB NOT NULL
    ) STRICT;";

/// Where a file stands in its journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub journal_id: JournalId,
    pub first_seq: Seq,
    /// The end of the file before.
    pub prior_at: Timestamp,
    pub prior_chain: Chain,
}

/// The last record: its place, its moment and its link. Seq 0 is the end of an empty journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct End {
    pub seq: Seq,
    pub at: Timestamp,
    pub chain: Chain,
}

/// One row, borrowed from SQLite.
pub(super) struct Row<'a> {
    pub seq: Seq,
    pub at: Timestamp,
    pub record: &'a [u8],
    pub checksum: u32,
    pub chain: &'a [u8],
}

impl Header {
    /// The header of the file that follows `end`.
    pub fn after(journal_id: JournalId, end: &End) -> Self {
        Self { journal_id, first_seq: end.seq.next(), prior_at: end.at, prior_chain: end.chain }
    }

    pub fn prior(&self) -> End {
        End { seq: Seq(self.first_seq.0.saturating_sub(1)), at: self.prior_at, chain: self.prior_chain }
    }

    fn hash(&self) -> Chain {
        blake3::Hasher::new()
            .update(&self.journal_id.0)
            .update(&self.first_seq.0.to_be_bytes())
            .update(&self.prior_at.as_micros().to_be_bytes())
            .update(&self.prior_chain)
            .finalize()
            .into()
    }
}

impl End {
    /// The end of a journal in which nothing has happened.
    pub fn genesis(journal_id: JournalId) -> Self {
        Self { seq: Seq(0), at: Timestamp::MIN, chain: chain::genesis(journal_id) }
    }
}

impl Row<'_> {
    /// Checks that this row follows `previous` and is whole; its own end is the next `previous`.
    pub fn check(&self, file: &Path, previous: &End) -> Result<End, JournalError> {
        let expected = previous.seq.next();
        if self.seq != expected {
            return Err(JournalError::Gap { file: file.to_owned(), expected, found: self.seq });
        }
        self.check_bytes(file)?;
        let chain = chain::link(&previous.chain, self.seq, self.at, self.record);
        if chain != self.chain {
            return Err(JournalError::Damaged { file: file.to_owned(), seq: self.seq, part: Part::Chain });
        }
        Ok(End { seq: self.seq, at: self.at, chain })
    }

    /// The link as the row has it, taken on trust where the record before is not at hand.
    pub fn stored_chain(&self, file: &Path) -> Result<Chain, JournalError> {
        let damaged = |_| JournalError::Damaged { file: file.to_owned(), seq: self.seq, part: Part::Chain };
        Chain::try_from(self.chain).map_err(damaged)
    }

    pub fn check_bytes(&self, file: &Path) -> Result<(), JournalError> {
        if chain::checksum(self.record) == self.checksum {
            Ok(())
        } else {
            Err(JournalError::Damaged { file: file.to_owned(), seq: self.seq, part: Part::Checksum })
        }
    }
}

/// Makes the file that starts with `header`: whole under its name, or not there.
pub(super) fn create(
    folder: &Path,
    header: &Header,
    durability: Durability,
    gate: &Gate,
) -> Result<PathBuf, JournalError> {
    let path = layout::named(folder, header.first_seq, JOURNAL);
    let unfinished = layout::unfinished(&path);
    let reach = gate.enter(Step::SwitchCreate)?;
    fill(&unfinished, header).map_err(JournalError::sqlite("make the journal file", &unfinished))?;
    if reach == Reach::Half {
        halve(&unfinished)?;
    }
    gate.leave(Step::SwitchCreate, reach)?;
    layout::sync_path(&unfinished, durability)?;
    let reach = gate.enter(Step::SwitchRename)?;
    layout::publish(&unfinished, &path, durability)?;
    gate.leave(Step::SwitchRename, reach)?;
    Ok(path)
}

/// No sync in here: the whole file is made durable at once, after it is closed.
fn fill(path: &Path, header: &Header) -> rusqlite::Result<()> {
    let connection = Connection::open(path)?;
    connection.execute_batch("PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF;")?;
    connection.pragma_update(None, "application_id", APPLICATION)?;
    connection.pragma_update(None, "user_version", FORMAT)?;
    connection.execute_batch(TABLES)?;
    connection.execute(
        "INSERT INTO header (id, journal_id, first_seq, prior_at, prior_chain, hash) VALUES (1, ?, ?, ?, ?, ?)",
        (
            header.journal_id.0,
            header.first_seq.0.cast_signed(),
            header.prior_at.as_micros(),
            header.prior_chain,
            header.hash(),
        ),
    )?;
    connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
    connection.close().map_err(|(_, fault)| fault)
}

/// The one connection that writes. Closing it moves nothing: checkpoints belong to `maintenance`.
pub(super) fn open_writer(path: &Path, durability: Durability) -> Result<Connection, JournalError> {
    let open = || {
        let connection =
            Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        connection.execute_batch(match durability {
            Durability::Full => "PRAGMA synchronous = FULL;",
            Durability::None => "PRAGMA synchronous = OFF;",
        })?;
        connection.query_row("PRAGMA wal_autocheckpoint = 0", [], |_| Ok(()))?;
        connection.execute_batch(CACHE)?;
        Ok(connection)
    };
    open().map_err(JournalError::sqlite("open the journal file", path))
}

/// Gives the write-ahead log its whole length before there is anything in it. A commit then writes over what is there:
/// its sync has one thing to write, where a log that grows makes it write the new length after the records.
///
/// What fills the log is a transaction that is taken back, so that nothing of it is ever read. Where the disk has no room,
/// the log grows as it is needed.
pub(super) fn make_room(connection: &Connection, path: &Path, durability: Durability) {
    let missing = LOG_BYTES.saturating_sub(fs::metadata(layout::wal(path)).map_or(0, |log| log.len()));
    if durability == Durability::None || missing == 0 {
        return;
    }
    let fill = || {
        let transaction = connection.unchecked_transaction()?;
        // With so small a cache the pages go to the log before the end of the transaction.
        connection.execute_batch("PRAGMA cache_size = 16; CREATE TABLE room (bytes BLOB);")?;
        connection.execute("INSERT INTO room (bytes) VALUES (zeroblob(?))", [missing.cast_signed()])?;
        transaction.rollback()
    };
    if let Err(error) = fill().and(connection.execute_batch(CACHE)) {
        let error: &dyn std::error::Error = &error;
        tracing::warn!(file = %path.display(), error, "no room made in the journal's log; commits take longer until it has grown");
    }
}

/// A connection that only reads; it sees what is durable, never more.
pub(super) fn open_reader(path: &Path) -> Result<Connection, JournalError> {
    Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)
        .map_err(JournalError::sqlite("open the journal file", path))
}

/// Reads and checks who a file is; `named` is the seq in its name.
pub(super) fn header(connection: &Connection, path: &Path, named: Seq) -> Result<Header, JournalError> {
    let refuse = |why| JournalError::NotAJournal { file: path.to_owned(), why };
    let number = |pragma: &str| {
        connection
            .query_row(pragma, [], |row| row.get::<_, i64>(0))
            .map_err(JournalError::sqlite("read the header of", path))
    };
    if number("PRAGMA application_id")? != i64::from(APPLICATION) {
        return Err(refuse("it is another program's SQLite file"));
    }
    let format = u32::try_from(number("PRAGMA user_version")?).unwrap_or(u32::MAX);
    if format != FORMAT {
        return Err(JournalError::UnknownFormat { file: path.to_owned(), format, known: FORMAT });
    }
    let row = connection
        .query_row("SELECT journal_id, first_seq, prior_at, prior_chain, hash FROM header", [], |row| {
            let header = Header {
                journal_id: JournalId(row.get(0)?),
                first_seq: Seq(row.get::<_, i64>(1)?.cast_unsigned()),
                prior_at: Timestamp::from_micros(row.get(2)?),
                prior_chain: row.get(3)?,
            };
            Ok((header, row.get::<_, Chain>(4)?))
        })
        .optional()
        .map_err(JournalError::sqlite("read the header of", path))?;
    let Some((header, hash)) = row else { return Err(refuse("its header is missing")) };
    if header.hash() != hash {
        return Err(refuse("its header is damaged"));
    }
    if header.first_seq != named {
        return Err(refuse("its header and its name disagree about the first seq"));
    }
    Ok(header)
}

/// Checks that the file with this header goes on where the one before it ended.
pub(super) fn follows(path: &Path, header: &Header, before: Option<(JournalId, End)>) -> Result<(), JournalError> {
    let file = || path.to_owned();
    let prior = match before {
        Some((expected, _)) if expected != header.journal_id => {
            return Err(JournalError::Foreign { file: file(), found: header.journal_id, expected });
        }
        Some((_, end)) => end,
        None if header.first_seq == Seq(1) => End::genesis(header.journal_id),
        // The files before this one were pruned: its own word is all there is.
        None => header.prior(),
    };
    if header.first_seq != prior.seq.next() {
        return Err(JournalError::Gap { file: file(), expected: prior.seq.next(), found: header.first_seq });
    }
    if header.prior_chain != prior.chain {
        let why = "its hash chain does not go on from the file before it";
        return Err(JournalError::NotAJournal { file: file(), why });
    }
    Ok(())
}

/// Calls `each` with up to `max` rows from `from` on, in order, and returns how many there were.
pub(super) fn rows(
    connection: &Connection,
    path: &Path,
    from: Seq,
    max: usize,
    mut each: impl FnMut(Row<'_>) -> Result<(), JournalError>,
) -> Result<usize, JournalError> {
    let unreadable = |seq| move |source| JournalError::Unreadable { file: path.to_owned(), seq, source };
    let mut statement = connection
        .prepare_cached("SELECT seq, at, record, crc32c, chain FROM entry WHERE seq >= ? ORDER BY seq LIMIT ?")
        .map_err(unreadable(from))?;
    let limit = i64::try_from(max).unwrap_or(i64::MAX);
    let mut rows = statement.query((from.0.cast_signed(), limit)).map_err(unreadable(from))?;
    let (mut count, mut next) = (0, from);
    while let Some(row) = rows.next().map_err(unreadable(next))? {
        let row = read_row(row).map_err(unreadable(next))?;
        next = row.seq.next();
        each(row)?;
        count += 1;
    }
    Ok(count)
}

fn read_row<'a>(row: &'a rusqlite::Row<'_>) -> rusqlite::Result<Row<'a>> {
    Ok(Row {
        seq: Seq(row.get::<_, i64>(0)?.cast_unsigned()),
        at: Timestamp::from_micros(row.get(1)?),
        record: row.get_ref(2)?.as_blob()?,
        checksum: row.get(3)?,
        chain: row.get_ref(4)?.as_blob()?,
    })
}

/// The moment of the first record and the end that the last one makes, if there is any.
pub(super) fn bounds(connection: &Connection, path: &Path) -> Result<Option<(Timestamp, End)>, JournalError> {
    let first = connection
        .query_row("SELECT at FROM entry ORDER BY seq LIMIT 1", [], |row| row.get(0).map(Timestamp::from_micros))
        .optional()
        .map_err(JournalError::sqlite("read the first record of", path))?;
    let last = connection
        .query_row("SELECT seq, at, chain FROM entry ORDER BY seq DESC LIMIT 1", [], |row| {
            Ok(End {
                seq: Seq(row.get::<_, i64>(0)?.cast_unsigned()),
                at: Timestamp::from_micros(row.get(1)?),
                chain: row.get(2)?,
            })
        })
        .optional()
        .map_err(JournalError::sqlite("read the last record of", path))?;
    Ok(first.zip(last))
}

/// How large the file is once its log is folded in.
pub(super) fn size(connection: &Connection, path: &Path) -> Result<u64, JournalError> {
    connection
        .query_row("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size", [], |row| {
            row.get::<_, i64>(0).map(i64::cast_unsigned)
        })
        .map_err(JournalError::sqlite("measure", path))
}
