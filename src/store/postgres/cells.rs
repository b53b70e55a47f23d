//! Cells on their way into PostgreSQL and back.
//!
//! PostgreSQL's text has no U+0000, and a sensor may send one. It travels as U+001A (SUBSTITUTE) followed by `0`, and
//! U+001A itself as U+001A followed by `S`: every text comes back as it was, and all others look as they are.

use crate::store::tables::{Cell, Cells, Kind};
use std::borrow::Cow;
use std::error::Error;
use tokio_postgres::Row;
use tokio_postgres::types::private::BytesMut;
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};

const SUBSTITUTE: char = '\u{1a}';

/// The text as PostgreSQL can hold it.
pub(super) fn held(text: &str) -> Cow<'_, str> {
    if !text.bytes().any(|byte| byte == 0 || byte == 0x1a) {
        return Cow::Borrowed(text);
    }
    let mut held = String::with_capacity(text.len() + 8);
    for letter in text.chars() {
        match letter {
            '\0' => held.extend([SUBSTITUTE, '0']),
            SUBSTITUTE => held.extend([SUBSTITUTE, 'S']),
            other => held.push(other),
        }
    }
    Cow::Owned(held)
}

/// The text as it was.
pub(super) fn told(held: String) -> String {
    if !held.contains(SUBSTITUTE) {
        return held;
    }
    let mut text = String::with_capacity(held.len());
    let mut letters = held.chars();
    while let Some(letter) = letters.next() {
        match letter {
            SUBSTITUTE => text.push(if letters.next() == Some('0') { '\0' } else { SUBSTITUTE }),
            other => text.push(other),
        }
    }
    text
}

/// The type of a column of this kind.
pub(super) const fn column_type(kind: Kind) -> Type {
    match kind {
        Kind::Integer => Type::INT8,
        Kind::Real => Type::FLOAT8,
        Kind::Boolean => Type::BOOL,
        Kind::Text => Type::TEXT,
        Kind::Bytes => Type::BYTEA,
    }
}

pub(super) fn read(row: &Row, kinds: impl Iterator<Item = Kind>) -> Result<Cells, tokio_postgres::Error> {
    kinds.enumerate().map(|(at, kind)| cell(row, at, kind)).collect()
}

fn cell(row: &Row, at: usize, kind: Kind) -> Result<Cell<'static>, tokio_postgres::Error> {
    Ok(match kind {
        Kind::Integer => row.try_get::<_, Option<i64>>(at)?.into(),
        Kind::Real => row.try_get::<_, Option<f64>>(at)?.map_or(Cell::Null, Cell::Real),
        Kind::Boolean => row.try_get::<_, Option<bool>>(at)?.into(),
        Kind::Text => row.try_get::<_, Option<String>>(at)?.map_or(Cell::Null, |text| Cell::Text(told(text).into())),
        Kind::Bytes => row.try_get::<_, Option<Vec<u8>>>(at)?.map_or(Cell::Null, |bytes| Cell::Bytes(bytes.into())),
    })
}

impl ToSql for Cell<'_> {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match self {
            Self::Null => Ok(IsNull::Yes),
            Self::Integer(number) => number.to_sql(ty, out),
            Self::Real(number) => number.to_sql(ty, out),
            Self::Boolean(boolean) => boolean.to_sql(ty, out),
            Self::Text(text) => held(text).to_sql(ty, out),
            Self::Bytes(bytes) => bytes.as_ref().to_sql(ty, out),
        }
    }

    fn accepts(ty: &Type) -> bool {
        [Type::INT8, Type::FLOAT8, Type::BOOL, Type::TEXT, Type::BYTEA].contains(ty)
    }

    to_sql_checked!();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_comes_back_as_it_was() {
        for text in ["", "blåbær ☂", "\0", "a\0b\0", "\u{1a}", "\u{1a}0", "\u{1a}S\0S", "ende\u{1a}"] {
            let kept = held(text);
            assert!(!kept.contains('\0'), "{text:?}");
            assert_eq!(told(kept.into_owned()), text);
        }
        assert!(matches!(held("as it is"), Cow::Borrowed(_)));
    }
}
