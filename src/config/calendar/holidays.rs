//! Which days are holidays in Denmark, by rule.

use jiff::ToSpan as _;
use jiff::civil::Date;

/// Days that some municipalities have free from noon or altogether, by the words that stand in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ByChoice {
    LabourDay,
    ConstitutionDay,
    ChristmasEve,
    NewYearsEve,
}

impl ByChoice {
    pub const ALL: [Self; 4] = [Self::LabourDay, Self::ConstitutionDay, Self::ChristmasEve, Self::NewYearsEve];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LabourDay => "labour-day",
            Self::ConstitutionDay => "constitution-day",
            Self::ChristmasEve => "christmas-eve",
            Self::NewYearsEve => "new-years-eve",
        }
    }

    pub fn is_on(self, date: Date) -> bool {
        let (month, day) = match self {
            Self::LabourDay => (5, 1),
            Self::ConstitutionDay => (6, 5),
            Self::ChristmasEve => (12, 24),
            Self::NewYearsEve => (12, 31),
        };
        date.month() == month && date.day() == day
    }
}

/// The first year in which store bededag was an ordinary Friday (Act no. 214 of 2023).
const WITHOUT_GREAT_PRAYER_DAY: i16 = 2024;

/// Public holidays that keep their distance from Easter Sunday, in days.
const BY_EASTER: [(i64, &str); 8] = [
    (-3, "maundy-thursday"),
    (-2, "good-friday"),
    (0, "easter-sunday"),
    (1, "easter-monday"),
    (26, GREAT_PRAYER_DAY),
    (39, "ascension-day"),
    (49, "whit-sunday"),
    (50, "whit-monday"),
];
const GREAT_PRAYER_DAY: &str = "great-prayer-day";

/// Public holidays with a date of their own: month, day.
const BY_DATE: [(i8, i8, &str); 3] =
    [(1, 1, "new-years-day"), (12, 25, "christmas-day"), (12, 26, "second-christmas-day")];

/// The Danish public holiday on this date.
pub(super) fn danish(date: Date) -> Option<&'static str> {
    let fixed = BY_DATE.iter().find(|(month, day, _)| (date.month(), date.day()) == (*month, *day));
    if let Some((_, _, name)) = fixed {
        return Some(name);
    }
    let easter = easter(date.year())?;
    let kept = |name: &str| name != GREAT_PRAYER_DAY || date.year() < WITHOUT_GREAT_PRAYER_DAY;
    let on = |days: i64| easter.checked_add(days.days()).is_ok_and(|day| day == date);
    BY_EASTER.iter().find(|(days, name)| on(*days) && kept(name)).map(|(_, name)| *name)
}

/// Easter Sunday of the Gregorian calendar (Meeus, Jones, Butcher).
pub(super) fn easter(year: i16) -> Option<Date> {
    let y = i32::from(year);
    let (golden, century, rest) = (y.rem_euclid(19), y.div_euclid(100), y.rem_euclid(100));
    let leap = (century / 4, century % 4);
    let shift = (century - (century + 8) / 25 + 1) / 3;
    let moon = (19 * golden + century - leap.0 - shift + 15) % 30;
    let weekday = (32 + 2 * leap.1 + 2 * (rest / 4) - moon - rest % 4) % 7;
    let late = (golden + 11 * moon + 22 * weekday) / 451;
    let days = moon + weekday - 7 * late + 114;
    Date::new(year, (days / 31) as i8, (days % 31 + 1) as i8).ok()
}
