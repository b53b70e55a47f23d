//! One level of a JSON object, read lazily and with bounds.
//!
//! Fields stay slices of the message until someone asks for them: what nobody reads is only skipped over, without
//! recursion and without allocation, so depth and size of a hostile message cost no more than its length.
//! Numbers are read here, not by serde, because `1e999` must be told apart from what is no JSON at all.

use super::rejection::{Rejection, quoted};
use crate::domain::reason::QuarantineReason;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use smol_str::{SmolStr, format_smolstr};
use std::borrow::Cow;
use std::fmt;

/// A text that borrows from the message unless it holds escapes.
#[derive(serde::Deserialize, Clone, Debug)]
#[serde(transparent)]
pub(super) struct Text<'a>(#[serde(borrow)] pub Cow<'a, str>);

/// The fields of one object, in the order they were sent, without doubles.
#[derive(Debug)]
pub(super) struct Fields<'a> {
    list: Vec<(Cow<'a, str>, &'a RawValue)>,
}

/// A value that somebody asked for. A number may be infinite here; nothing else has looked at it.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Json<'a> {
    Null,
    Boolean(bool),
    Number(f64),
    Text(Cow<'a, str>),
    Array,
    Object(&'a str),
}

impl<'a> Fields<'a> {
    /// Reads an object of at most `fields_max` fields.
    ///
    /// # Errors
    /// `Unparsable` when it is no object or names a field twice, `Oversize` when it has too many fields.
    pub fn parse(what: &str, text: &'a str, fields_max: usize) -> Result<Self, Rejection> {
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let object = deserializer
            .deserialize_map(Collect { fields_max })
            .and_then(|object| deserializer.end().map(|()| object))
            .map_err(|error| match error.classify() {
                serde_json::error::Category::Data => Rejection::unparsable(format_smolstr!("{what} is not an object")),
                serde_json::error::Category::Eof
                | serde_json::error::Category::Io
                | serde_json::error::Category::Syntax => Rejection::json(what, &error),
            })?;
        if object.overflowing {
            let detail = format_smolstr!("{what} has more than {fields_max} fields");
            return Err(Rejection::new(QuarantineReason::Oversize, detail));
        }
        for (index, (name, _)) in object.list.iter().enumerate() {
            if object.list[..index].iter().any(|(earlier, _)| earlier == name) {
                return Err(Rejection::unparsable(format_smolstr!("{what} names {} twice", quoted(name))));
            }
        }
        Ok(Self { list: object.list })
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &'a RawValue)> {
        self.list.iter().map(|(name, raw)| (name.as_ref(), *raw))
    }

    pub fn get(&self, name: &str) -> Option<&'a RawValue> {
        self.iter().find(|(known, _)| *known == name).map(|(_, raw)| raw)
    }

    /// The value at the end of `path`; none when a step of it is missing or null.
    ///
    /// # Errors
    /// `WrongType` when a step before the last is no object.
    pub fn at(&self, path: &[SmolStr], fields_max: usize) -> Result<Option<Json<'a>>, Rejection> {
        let Some((first, rest)) = path.split_first() else { return Ok(None) };
        let mut found = self.get(first).map(Json::read);
        for step in rest {
            found = match found {
                None | Some(Json::Null) => return Ok(None),
                Some(Json::Object(text)) => Fields::parse(&quoted(first), text, fields_max)?.get(step).map(Json::read),
                Some(Json::Boolean(_) | Json::Number(_) | Json::Text(_) | Json::Array) => {
                    let detail = format_smolstr!("{} has no field {}", quoted(first), quoted(step));
                    return Err(Rejection::wrong_type(detail));
                }
            };
        }
        Ok(found.filter(|value| *value != Json::Null))
    }
}

impl<'a> Json<'a> {
    pub fn read(raw: &'a RawValue) -> Self {
        let text = raw.get();
        match text.as_bytes().first() {
            Some(b'"') => serde_json::from_str(text).map_or(Self::Null, |Text(text)| Self::Text(text)),
            Some(b'{') => Self::Object(text),
            Some(b'[') => Self::Array,
            Some(b't' | b'f') => Self::Boolean(text == "true"),
            Some(b'-' | b'0'..=b'9') => text.parse().map_or(Self::Null, Self::Number),
            _ => Self::Null,
        }
    }
}

struct Collect {
    fields_max: usize,
}

struct Collected<'a> {
    list: Vec<(Cow<'a, str>, &'a RawValue)>,
    overflowing: bool,
}

impl<'de> Visitor<'de> for Collect {
    type Value = Collected<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut list = Vec::new();
        while list.len() < self.fields_max {
            let Some(Text(name)) = map.next_key()? else { return Ok(Collected { list, overflowing: false }) };
            list.push((name, map.next_value()?));
        }
        let mut overflowing = false;
        while map.next_key::<IgnoredAny>()?.is_some() {
            overflowing = true;
            map.next_value::<IgnoredAny>()?;
        }
        Ok(Collected { list, overflowing })
    }
}

/// Reads a typed envelope; unlike a payload, it may hold fields that nobody asked for.
pub(super) fn envelope<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Rejection> {
    serde_json::from_str(text).map_err(|error| Rejection::json("the payload", &error))
}

pub(super) fn utf8(payload: &[u8]) -> Result<&str, Rejection> {
    std::str::from_utf8(payload).map_err(|error| {
        Rejection::unparsable(format_smolstr!("the payload is not UTF-8 after byte {}", error.valid_up_to()))
    })
}
