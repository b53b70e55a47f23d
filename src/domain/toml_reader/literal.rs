//! Where a character of a TOML string stands in the file: escapes make the two differ.
//!
//! The parser hands out decoded strings; a fault inside one, such as an unknown name in a condition, must still point
//! at the right column. Start with `source_offset`.

/// The byte offset in `literal` (a TOML string with its quotes) of byte `decoded` of the string's value.
///
/// An offset beyond the value gives the closing quote.
pub(super) fn source_offset(literal: &str, decoded: usize) -> usize {
    let (open, escapes) = opening(literal);
    let close = literal.len().saturating_sub(open.quotes).max(open.skip);
    if !escapes {
        return (open.skip + decoded).min(close);
    }
    let mut at = open.skip;
    let mut produced = 0;
    while produced < decoded && at < close {
        let (taken, given) = step(&literal[at..close]);
        if produced + given > decoded {
            // The offset lies inside an escape that stands for several bytes.
            break;
        }
        at += taken;
        produced += given;
    }
    // A line-ending backslash gives nothing; what is pointed at stands after it.
    while at < close {
        let (taken, given) = step(&literal[at..close]);
        if given > 0 {
            break;
        }
        at += taken;
    }
    at
}

struct Opening {
    /// How many quote characters close the string.
    quotes: usize,
    /// Bytes before the first byte of the value.
    skip: usize,
}

/// The opening quotes, and whether escapes count.
fn opening(literal: &str) -> (Opening, bool) {
    let quotes = if literal.starts_with("\"\"\"") || literal.starts_with("'''") { 3 } else { 1 };
    let mut skip = quotes.min(literal.len());
    if quotes == 3 {
        let rest = &literal[skip..];
        if rest.starts_with("\r\n") {
            skip += 2;
        } else if rest.starts_with('\n') {
            skip += 1;
        }
    }
    (Opening { quotes, skip }, literal.starts_with('"'))
}

/// Bytes taken from the source and bytes given to the value by the next character or escape.
fn step(rest: &str) -> (usize, usize) {
    let mut chars = rest.chars();
    let Some(first) = chars.next() else { return (1, 0) };
    if first != '\\' {
        return (first.len_utf8(), first.len_utf8());
    }
    match chars.next() {
        Some('x') => (4, code_point(rest, 2..4)),
        Some('u') => (6, code_point(rest, 2..6)),
        Some('U') => (10, code_point(rest, 2..10)),
        Some(' ' | '\t' | '\r' | '\n') => {
            let blank = rest[1..].bytes().take_while(u8::is_ascii_whitespace).count();
            (1 + blank, 0)
        }
        Some(other) => (1 + other.len_utf8(), 1),
        None => (1, 0),
    }
}

fn code_point(rest: &str, digits: std::ops::Range<usize>) -> usize {
    let number = rest.get(digits).and_then(|text| u32::from_str_radix(text, 16).ok());
    number.and_then(char::from_u32).map_or(1, char::len_utf8)
}

#[cfg(test)]
mod tests {
    use super::source_offset;

    #[test]
    fn a_place_in_the_value_is_found_again_in_the_file() {
        for (literal, value, mark) in [
            (r#""fill >= x""#, "fill >= x", "x"),
            (r#""name == \"x\" && y""#, "name == \"x\" && y", "y"),
            (r#""\u00e6 \U0001F600 y""#, "æ 😀 y", "y"),
            ("'''\nfill\n  >= y'''", "fill\n  >= y", "y"),
            ("\"\"\"\r\nfill \\\n    >= y\"\"\"", "fill >= y", "y"),
            ("'a \\ y'", "a \\ y", "y"),
        ] {
            let decoded = value.find(mark).unwrap();
            assert_eq!(source_offset(literal, decoded), literal.find(mark).unwrap(), "{literal}");
        }
    }

    #[test]
    fn beyond_the_end_is_the_closing_quote() {
        assert_eq!(source_offset("\"abc\"", 3), 4);
        assert_eq!(source_offset("\"abc\"", 99), 4);
        assert_eq!(source_offset("'''abc'''", 99), 6);
        assert_eq!(source_offset("", 0), 0);
    }

    proptest::proptest! {
        #[test]
        fn every_character_of_any_string_is_found(value in "\\PC{0,30}") {
            let literal = format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""));
            for (decoded, character) in value.char_indices() {
                let at = source_offset(&literal, decoded);
                let expected = if matches!(character, '"' | '\\') { '\\' } else { character };
                proptest::prop_assert!(literal[at..].starts_with(expected), "{literal} at {at}");
            }
        }
    }
}
