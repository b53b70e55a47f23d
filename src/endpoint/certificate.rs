//! What we read of a certificate ourselves: the common name of a client's, and how long our own is valid.
//!
//! rustls verifies certificates; here only one field is read, by walking the DER down to it. A subject with no common
//! name, or with several, names nobody.

use crate::domain::time::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use smol_str::SmolStr;

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const OBJECT_IDENTIFIER: u8 = 0x06;
const UTF8_STRING: u8 = 0x0c;
const PRINTABLE_STRING: u8 = 0x13;
/// `[0] EXPLICIT`, the certificate's version; absent in version 1.
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
/// 2.5.4.3
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];

/// From when until when a certificate is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    pub begins_at: Timestamp,
    pub ends_at: Timestamp,
}

impl Validity {
    /// None when the bytes are no certificate, or write a time as none should.
    #[must_use]
    pub fn of(certificate: &[u8]) -> Option<Self> {
        let (mut times, _) = expect(SEQUENCE, fields(certificate, &["serial", "algorithm", "issuer"])?)?;
        let (tag, begins_at, after) = element(times)?;
        let begins_at = moment(tag, begins_at)?;
        times = after;
        let (tag, ends_at, _) = element(times)?;
        Some(Self { begins_at, ends_at: moment(tag, ends_at)? })
    }
}

/// RFC 5280, 4.1.2.5: always in UTC and with seconds; a year of two digits is one from 1950 to 2049.
fn moment(tag: u8, text: &[u8]) -> Option<Timestamp> {
    let text = std::str::from_utf8(text).ok()?;
    let (year, rest) = match tag {
        UTC_TIME => {
            let (year, rest) = text.split_at_checked(2)?;
            let year: i16 = year.parse().ok()?;
            (if year < 50 { 2000 + year } else { 1900 + year }, rest)
        }
        GENERALIZED_TIME => {
            let (year, rest) = text.split_at_checked(4)?;
            (year.parse().ok()?, rest)
        }
        _ => return None,
    };
    let digits = rest.strip_suffix('Z').filter(|digits| digits.len() == 10 && digits.is_ascii())?;
    let part = |at: usize| digits[at..at + 2].parse::<i8>().ok();
    let moment = DateTime::new(year, part(0)?, part(2)?, part(4)?, part(6)?, part(8)?, 0).ok()?;
    let moment = TimeZone::UTC.to_timestamp(moment).ok()?;
    Some(Timestamp::from_micros(moment.as_microsecond()))
}

/// The common name in the certificate's subject, if there is exactly one and it is not empty.
pub(super) fn common_name(certificate: &[u8]) -> Option<SmolStr> {
    let mut names = Vec::new();
    collect_names(subject(certificate)?, &mut names)?;
    match names.as_slice() {
        [name] if !name.is_empty() => Some(name.clone()),
        _ => None,
    }
}

/// `Certificate ::= SEQUENCE { tbsCertificate SEQUENCE { [version], serial, algorithm, issuer, validity, subject, … } }`
fn subject(certificate: &[u8]) -> Option<&[u8]> {
    Some(expect(SEQUENCE, fields(certificate, &["serial", "algorithm", "issuer", "validity"])?)?.0)
}

/// The fields behind these.
fn fields<'a>(certificate: &'a [u8], before: &[&str]) -> Option<&'a [u8]> {
    let (certificate, _) = expect(SEQUENCE, certificate)?;
    let (mut fields, _) = expect(SEQUENCE, certificate)?;
    if fields.first() == Some(&VERSION) {
        fields = element(fields)?.2;
    }
    for _ in before {
        fields = element(fields)?.2;
    }
    Some(fields)
}

/// `Name ::= SEQUENCE OF SET OF SEQUENCE { type OBJECT IDENTIFIER, value }`
fn collect_names(mut name: &[u8], names: &mut Vec<SmolStr>) -> Option<()> {
    while !name.is_empty() {
        let (mut set, after) = expect(SET, name)?;
        name = after;
        while !set.is_empty() {
            let (attribute, after) = expect(SEQUENCE, set)?;
            set = after;
            let (kind, value) = expect(OBJECT_IDENTIFIER, attribute)?;
            if kind == COMMON_NAME {
                let (tag, text, _) = element(value)?;
                let text = matches!(tag, UTF8_STRING | PRINTABLE_STRING).then(|| std::str::from_utf8(text))?;
                names.push(SmolStr::new(text.ok()?));
            }
        }
    }
    Some(())
}

/// The content of the first element, which must have this tag, and what follows it.
fn expect(tag: u8, bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (found, content, after) = element(bytes)?;
    (found == tag).then_some((content, after))
}

/// Tag, content and what follows. Lengths of up to four bytes, definite form, as DER has them.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[tag, first], rest) = bytes.split_first_chunk::<2>()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let digits = usize::from(first & 0x7f);
        if digits == 0 || digits > 4 {
            return None;
        }
        let (digits, rest) = rest.split_at_checked(digits)?;
        (digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)), rest)
    };
    let (content, after) = rest.split_at_checked(length)?;
    Some((tag, content, after))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};

    fn certificate(names: &[(DnType, &str)]) -> Vec<u8> {
        let mut params = CertificateParams::new(vec!["device.example".to_owned()]).unwrap();
        params.distinguished_name = DistinguishedName::new();
        for (kind, name) in names {
            params.distinguished_name.push(kind.clone(), *name);
        }
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    #[test]
    fn the_common_name_is_found_among_other_attributes() {
        let names =
            [(DnType::OrganizationName, "Kommune"), (DnType::CommonName, "device-æ-7"), (DnType::CountryName, "DK")];
        assert_eq!(common_name(&certificate(&names)).as_deref(), Some("device-æ-7"));
    }

    #[test]
    fn a_subject_that_names_nobody_gives_no_name() {
        assert_eq!(common_name(&certificate(&[(DnType::OrganizationName, "Kommune")])), None);
        assert_eq!(common_name(&certificate(&[(DnType::CommonName, "")])), None);
        assert_eq!(common_name(&[]), None);
    }

    #[test]
    fn the_times_of_a_certificate_are_read_in_both_forms() {
        let valid = |from: (i32, u8, u8), until: (i32, u8, u8)| {
            let mut params = CertificateParams::new(vec!["gateway.example".to_owned()]).unwrap();
            params.not_before = rcgen::date_time_ymd(from.0, from.1, from.2);
            params.not_after = rcgen::date_time_ymd(until.0, until.1, until.2);
            let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
            let validity = Validity::of(certificate.der()).unwrap();
            (validity.begins_at.as_micros() / 1_000_000, validity.ends_at.as_micros() / 1_000_000)
        };
        assert_eq!(valid((1999, 12, 31), (2026, 3, 1)), (946_598_400, 1_772_323_200));
        assert_eq!(valid((2049, 12, 31), (2050, 1, 1)), (2_524_521_600, 2_524_608_000));
        assert_eq!(Validity::of(&[]), None);
    }

    proptest! {
        #[test]
        fn no_bytes_can_panic_it(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            common_name(&bytes);
            let _ = Validity::of(&bytes);
        }

        #[test]
        fn no_damage_to_a_certificate_can_panic_it(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let mut damaged = certificate(&[(DnType::CommonName, "device-7")]);
            let at = at.index(damaged.len());
            damaged[at] = byte;
            common_name(&damaged);
            let _ = Validity::of(&damaged);
        }
    }
}
