//! The record format: CBOR with numbered fields, one wire type beside every domain type that is kept.
//!
//! A number once given out is never used for anything else; a field added later is optional, and a reader that does
//! not know it skips it. Conversions to and from the domain cannot fail: what the domain could not hold is refused
//! while decoding. Nothing here seals, checks or stores. Start with `Record`.

mod calendar;
mod configuration;
mod decision;
mod delivery;
mod estimator;
mod event;
mod fact;
pub(super) mod image;
mod mandate;
mod observation;
mod order;
mod reason;
mod registry;
mod shadow;

use crate::domain;
use decision::Decision;
pub(super) use event::Event;
use minicbor::{Decode, Decoder, Encode};

/// The version this program writes. It rises only when an older program could misread a record.
pub(super) const VERSION: u16 = 1;

/// What one row of the journal holds besides its place and moment.
#[derive(Encode, Decode)]
pub(super) struct Record<'a> {
    #[n(0)]
    pub version: u16,
    #[b(1)]
    pub body: Body<'a>,
    #[b(2)]
    pub decision: Decision<'a>,
}

#[derive(Encode, Decode)]
#[cbor(flat)]
pub(super) enum Body<'a> {
    #[n(0)]
    Clear(#[b(0)] Event<'a>),
    /// An encoded [`Event`], sealed with the key of the decision's subject.
    #[n(1)]
    Sealed(#[cbor(b(0), with = "minicbor::bytes")] &'a [u8]),
}

impl<'a> Record<'a> {
    pub fn new(body: Body<'a>, decision: &'a domain::decision::Decision) -> Self {
        Self { version: VERSION, body, decision: decision.into() }
    }
}

/// The version a record says it has: its first field, readable whatever follows.
pub(super) fn version(record: &[u8]) -> Result<u16, minicbor::decode::Error> {
    let mut decoder = Decoder::new(record);
    decoder.array()?;
    decoder.u16()
}
