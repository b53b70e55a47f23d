//! The common name of a client certificate.
//!
//! rustls has already verified the certificate; here only its subject is read, by walking the DER down to the one
//! attribute that names the client. A subject with no common name, or with several, names nobody.

use smol_str::SmolStr;

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const OBJECT_IDENTIFIER: u8 = 0x06;
const UTF8_STRING: u8 = 0x0c;
const PRINTABLE_STRING: u8 = 0x13;
/// `[0] EXPLICIT`, the certificate's version; absent in version 1.
const VERSION: u8 = 0xa0;
/// 2.5.4.3
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];

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
    let (certificate, _) = expect(SEQUENCE, certificate)?;
    let (mut fields, _) = expect(SEQUENCE, certificate)?;
    if fields.first() == Some(&VERSION) {
        fields = element(fields)?.2;
    }
    for _ in ["serial", "algorithm", "issuer", "validity"] {
        fields = element(fields)?.2;
    }
    Some(expect(SEQUENCE, fields)?.0)
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

    proptest! {
        #[test]
        fn no_bytes_can_panic_it(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            common_name(&bytes);
        }

        #[test]
        fn no_damage_to_a_certificate_can_panic_it(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let mut damaged = certificate(&[(DnType::CommonName, "device-7")]);
            let at = at.index(damaged.len());
            damaged[at] = byte;
            common_name(&damaged);
        }
    }
}
