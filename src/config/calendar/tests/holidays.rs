//! Easter and the Danish holidays, against dates that were found in other ways.

use crate::config::calendar::holidays::{danish, easter};
use jiff::ToSpan as _;
use jiff::civil::{Date, Weekday, date};
use std::collections::BTreeMap;

/// The Sunday after the full moon of the church, from the table of golden numbers that holds from 1900 to 2199: the
/// moon of March 21st to April 18th. (Two of its entries are the corrected ones: April 18th twice.)
fn sunday_after_the_full_moon(year: i16) -> Date {
    const MOONS: [(i8, i8); 19] = [
        (4, 14),
        (4, 3),
        (3, 23),
        (4, 11),
        (3, 31),
        (4, 18),
        (4, 8),
        (3, 28),
        (4, 16),
        (4, 5),
        (3, 25),
        (4, 13),
        (4, 2),
        (3, 22),
        (4, 10),
        (3, 30),
        (4, 17),
        (4, 7),
        (3, 27),
    ];
    let (month, day) = MOONS[usize::try_from(year % 19).unwrap()];
    let mut sunday = date(year, month, day).tomorrow().unwrap();
    while sunday.weekday() != Weekday::Sunday {
        sunday = sunday.tomorrow().unwrap();
    }
    sunday
}

#[test]
fn easter_is_right_from_1900_to_2100() {
    for year in 1900..=2100 {
        assert_eq!(easter(year), Some(sunday_after_the_full_moon(year)), "{year}");
    }
    let published = [
        (1900, 4, 15),
        (1913, 3, 23),
        (1943, 4, 25),
        (1954, 4, 18),
        (1961, 4, 2),
        (1981, 4, 19),
        (2000, 4, 23),
        (2008, 3, 23),
        (2011, 4, 24),
        (2019, 4, 21),
        (2038, 4, 25),
        (2049, 4, 18),
        (2076, 4, 19),
        (2100, 3, 28),
    ];
    for (year, month, day) in published {
        assert_eq!(easter(year), Some(date(year, month, day)));
    }
}

/// Days and months of the holidays that move, as Danish almanacs print them: Maundy Thursday, Good Friday, Easter Sunday,
/// Easter Monday, Ascension Day, Whit Sunday, Whit Monday.
const PRINTED: [(i16, [(i8, i8); 7]); 7] = [
    (2024, [(28, 3), (29, 3), (31, 3), (1, 4), (9, 5), (19, 5), (20, 5)]),
    (2025, [(17, 4), (18, 4), (20, 4), (21, 4), (29, 5), (8, 6), (9, 6)]),
    (2026, [(2, 4), (3, 4), (5, 4), (6, 4), (14, 5), (24, 5), (25, 5)]),
    (2027, [(25, 3), (26, 3), (28, 3), (29, 3), (6, 5), (16, 5), (17, 5)]),
    (2028, [(13, 4), (14, 4), (16, 4), (17, 4), (25, 5), (4, 6), (5, 6)]),
    (2029, [(29, 3), (30, 3), (1, 4), (2, 4), (10, 5), (20, 5), (21, 5)]),
    (2030, [(18, 4), (19, 4), (21, 4), (22, 4), (30, 5), (9, 6), (10, 6)]),
];

/// The holidays of 2024 to 2030 by name, written down and not worked out.
pub(super) fn printed() -> BTreeMap<Date, &'static str> {
    const MOVING: [&str; 7] = [
        "maundy-thursday",
        "good-friday",
        "easter-sunday",
        "easter-monday",
        "ascension-day",
        "whit-sunday",
        "whit-monday",
    ];
    let mut all = BTreeMap::new();
    for (year, moving) in PRINTED {
        all.insert(date(year, 1, 1), "new-years-day");
        all.insert(date(year, 12, 25), "christmas-day");
        all.insert(date(year, 12, 26), "second-christmas-day");
        all.extend(moving.iter().zip(MOVING).map(|((day, month), name)| (date(year, *month, *day), name)));
    }
    all
}

#[test]
fn every_danish_holiday_from_2024_to_2030_is_known_by_name_and_no_other_day_is() {
    let printed = printed();
    assert_eq!(printed.len(), 70);
    for day in date(2024, 1, 1).series(1.day()).take_while(|day| day.year() <= 2030) {
        assert_eq!(danish(day), printed.get(&day).copied(), "{day}");
    }
}

#[test]
fn great_prayer_day_was_the_fourth_friday_after_easter_until_2023() {
    for (year, month, day) in [(2019, 5, 17), (2020, 5, 8), (2021, 4, 30), (2022, 5, 13), (2023, 5, 5)] {
        assert_eq!(danish(date(year, month, day)), Some("great-prayer-day"));
    }
    for (year, month, day) in [(2024, 4, 26), (2025, 5, 16), (2026, 5, 1)] {
        assert_eq!(danish(date(year, month, day)), None);
    }
}
