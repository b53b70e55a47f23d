//! Danish personal identification numbers are refused wherever they turn up.
//!
//! Only the form and the date are looked at: since 2007 numbers are given out that fail the old check digit, and
//! refusing too much is the safe side. Nothing here says whose number it is.

/// Whether `text` holds something that reads as a CPR number: a valid day and month, a year, and four digits.
///
/// With a dash or a space before the last four, no further digit stands beside it; ten digits written together stand
/// alone, since a device's hexadecimal name may hold any digits.
#[must_use]
pub fn holds_cpr_number(text: &str) -> bool {
    holds_written_cpr_number(text.as_bytes()) || holds(text.as_bytes(), 10, u8::is_ascii_alphanumeric, 6)
}

/// As [`holds_cpr_number`], but only with a dash or a space before the last four.
///
/// For bytes that nobody has understood: there, ten digits may be any number, and bytes need not even be text.
#[must_use]
pub fn holds_written_cpr_number(bytes: &[u8]) -> bool {
    holds(bytes, 11, u8::is_ascii_digit, 7)
}

/// Whether `length` bytes open with a date, go on with four digits from `serial`, and touch no byte that is `joined`.
fn holds(bytes: &[u8], length: usize, joined: fn(&u8) -> bool, serial: usize) -> bool {
    let touches = |at: usize| bytes.get(at).is_some_and(joined);
    bytes.windows(length).enumerate().any(|(start, window)| {
        window[serial..].iter().all(u8::is_ascii_digit)
            && (serial == 6 || matches!(window[6], b'-' | b' '))
            && window.first_chunk().is_some_and(|date| is_day_and_month(*date))
            && !(start > 0 && touches(start - 1))
            && !touches(start + length)
    })
}

fn is_day_and_month(date: [u8; 6]) -> bool {
    if !date.iter().all(u8::is_ascii_digit) {
        return false;
    }
    let two = |at: usize| u32::from(date[at] - b'0') * 10 + u32::from(date[at + 1] - b'0');
    let days = match two(2) {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 => 29,
        _ => 0,
    };
    // Replacement numbers, given to people without a CPR number, count the day from 61.
    let day = if two(0) > 60 { two(0) - 60 } else { two(0) };
    (1..=days).contains(&day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_read_as_cpr_are_found() {
        for text in ["010180-1234", "bed of 311299 0001.", "x290200-0000y", "611290-1234", "ø010190-1234"] {
            assert!(holds_cpr_number(text), "{text}");
            assert!(holds_written_cpr_number(text.as_bytes()), "{text}");
        }
        for text in ["0101801234", "cpr:0101801234."] {
            assert!(holds_cpr_number(text), "{text}");
            assert!(!holds_written_cpr_number(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn other_numbers_are_left_alone() {
        for text in [
            "",
            "123",
            "320180-1234",
            "011380-1234",
            "300280-1234",
            "310480-1234",
            "010180-123",
            "010180-12345",
            "1010180-1234",
            "10101801234",
            "01018012345",
            "24e124713d493245",
            "ab0101801234cdef",
            "0101010101010101",
            "2022-07-18T09:34:15",
            "3ac7e3c4-4401-4b8d-9386-a5c902f9202d",
        ] {
            assert!(!holds_cpr_number(text), "{text}");
        }
    }
}
