//! Binary payloads as a row of channels: a code, then a fixed number of bytes (TLV without the L).
//!
//! Reading stops at a code that the sensor type does not know, since nothing says how long its value is. What was
//! read before stays, marked suspicious.

use super::conversion::{Raw, Reading, Target};
use super::rejection::{Rejection, listed};
use smol_str::format_smolstr;

#[derive(Clone, Debug)]
pub(super) struct BinaryMapping {
    /// The LoRaWAN port that carries measurements; any when none.
    pub port: Option<u8>,
    /// No code is the beginning of another.
    pub channels: Vec<Channel>,
}

#[derive(Clone, Debug)]
pub(super) struct Channel {
    /// At least one byte.
    pub code: Vec<u8>,
    /// Bytes after the code.
    pub bytes: usize,
    /// Empty for a channel that is known and not wanted.
    pub fields: Vec<BinaryField>,
}

#[derive(Clone, Debug)]
pub(super) struct BinaryField {
    /// Offset after the code; `at + read.width()` is at most the channel's `bytes`.
    pub at: usize,
    pub read: Width,
    pub target: Target,
}

/// How bytes make a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Width {
    U8,
    I8,
    U16Le,
    U16Be,
    I16Le,
    I16Be,
    U32Le,
    U32Be,
    I32Le,
    I32Be,
    F32Le,
    F32Be,
}

impl BinaryMapping {
    pub fn targets(&self) -> impl Iterator<Item = &Target> {
        self.channels.iter().flat_map(|channel| &channel.fields).map(|field| &field.target)
    }

    pub fn read<'a>(&'a self, port: Option<u8>, bytes: &[u8], reading: &mut Reading<'a>) -> Result<(), Rejection> {
        // Without a payload the frame counts as a sign of life.
        if bytes.is_empty() {
            return Ok(());
        }
        if let (Some(expected), Some(port)) = (self.port, port)
            && port != expected
        {
            return Err(Rejection::unparsable(format_smolstr!("port {port} is not {expected}")));
        }
        let mut at = 0;
        while at < bytes.len() {
            let rest = &bytes[at..];
            let known = self.channels.iter().find(|channel| rest.starts_with(&channel.code));
            let Some((channel, body)) = known.and_then(|channel| Some((channel, channel.body(rest)?))) else {
                if at == 0 {
                    let detail = format_smolstr!("the payload does not open with one of the channels {}", self.codes());
                    return Err(Rejection::unparsable(detail));
                }
                reading.cut_short = true;
                return Ok(());
            };
            for field in &channel.fields {
                reading.take(&field.target, Raw::Number(field.read.number(&body[field.at..])))?;
            }
            at += channel.code.len() + channel.bytes;
        }
        Ok(())
    }

    fn codes(&self) -> String {
        let codes: Vec<String> = self.channels.iter().map(|channel| hex(&channel.code)).collect();
        listed(codes.iter().map(String::as_str))
    }
}

impl Channel {
    fn body<'b>(&self, rest: &'b [u8]) -> Option<&'b [u8]> {
        rest.get(self.code.len()..self.code.len() + self.bytes)
    }
}

impl Width {
    pub const ALL: [(&'static str, Self); 12] = [
        ("u8", Self::U8),
        ("i8", Self::I8),
        ("u16le", Self::U16Le),
        ("u16be", Self::U16Be),
        ("i16le", Self::I16Le),
        ("i16be", Self::I16Be),
        ("u32le", Self::U32Le),
        ("u32be", Self::U32Be),
        ("i32le", Self::I32Le),
        ("i32be", Self::I32Be),
        ("f32le", Self::F32Le),
        ("f32be", Self::F32Be),
    ];

    pub const fn bytes(self) -> usize {
        match self {
            Self::U8 | Self::I8 => 1,
            Self::U16Le | Self::U16Be | Self::I16Le | Self::I16Be => 2,
            Self::U32Le | Self::U32Be | Self::I32Le | Self::I32Be | Self::F32Le | Self::F32Be => 4,
        }
    }

    /// The number that `bytes` open with; bytes that are missing count as zero, which the loader rules out.
    fn number(self, bytes: &[u8]) -> f64 {
        let byte = |at: usize| bytes.get(at).copied().unwrap_or(0);
        let two = [byte(0), byte(1)];
        let four = [byte(0), byte(1), byte(2), byte(3)];
        match self {
            Self::U8 => byte(0).into(),
            Self::I8 => byte(0).cast_signed().into(),
            Self::U16Le => u16::from_le_bytes(two).into(),
            Self::U16Be => u16::from_be_bytes(two).into(),
            Self::I16Le => i16::from_le_bytes(two).into(),
            Self::I16Be => i16::from_be_bytes(two).into(),
            Self::U32Le => u32::from_le_bytes(four).into(),
            Self::U32Be => u32::from_be_bytes(four).into(),
            Self::I32Le => i32::from_le_bytes(four).into(),
            Self::I32Be => i32::from_be_bytes(four).into(),
            Self::F32Le => f32::from_le_bytes(four).into(),
            Self::F32Be => f32::from_be_bytes(four).into(),
        }
    }
}

/// `01 75`
pub(super) fn hex(bytes: &[u8]) -> String {
    let bytes: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    bytes.join(" ")
}

/// Reads what [`hex`] writes, with or without blanks.
pub(super) fn parse_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u32> = text.chars().filter(|c| *c != ' ').map(|c| c.to_digit(16)).collect::<Option<_>>()?;
    let pairs = digits.chunks_exact(2);
    (pairs.remainder().is_empty() && !digits.is_empty())
        .then(|| pairs.map(|pair| (pair[0] * 16 + pair[1]) as u8).collect())
}
