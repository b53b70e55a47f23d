//! The shape of a calendar file, for editors. A test keeps it together with the reader.

use super::read::EVERY_WEEKS;
use schemars::JsonSchema;

const NAME: &str = "^[a-z][a-z0-9-]{0,63}$";
const TIME: &str = "^([01][0-9]|2[0-3]):[0-5][0-9]$|^24:00$";
const DATE: &str = "^20[0-9]{2}-[01][0-9]-[0-3][0-9]$";

/// Shifts, holidays and service days. The files of the folder belong together.
#[derive(JsonSchema)]
#[schemars(title = "Calendar file", deny_unknown_fields)]
#[expect(dead_code, reason = "only its shape is used")]
pub(in crate::config) struct CalendarFile {
    /// Where the times hold, such as `Europe/Copenhagen`, which is the default; in one file only.
    time_zone: Option<String>,
    /// Which days are holidays; in one file only.
    holidays: Option<Holidays>,
    /// Days by hand. They win over every rule.
    #[schemars(default)]
    day: Vec<Day>,
    #[schemars(default)]
    shift: Vec<Shift>,
    #[schemars(default)]
    route: Vec<Route>,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "only its shape is used")]
struct Holidays {
    /// `denmark`, the default: the Danish public holidays.
    rules: Option<Rules>,
    /// Days that are workdays up to `half_days_end` and holidays from there, unless they are free anyway.
    half_days: Option<Vec<ByChoice>>,
    /// Days that are holidays altogether.
    whole_days: Option<Vec<ByChoice>>,
    #[schemars(regex(pattern = TIME), extend("default" = "12:00"))]
    half_days_end: Option<String>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case")]
#[expect(dead_code, reason = "only its shape is used")]
enum Rules {
    Denmark,
    None,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case")]
#[expect(dead_code, reason = "only its shape is used")]
enum ByChoice {
    LabourDay,
    ConstitutionDay,
    ChristmasEve,
    NewYearsEve,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "only its shape is used")]
struct Day {
    #[schemars(regex(pattern = DATE))]
    date: String,
    kind: DayKind,
    name: String,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case")]
#[expect(dead_code, reason = "only its shape is used")]
enum DayKind {
    Holiday,
    HalfDay,
    Workday,
}

/// When people are on duty; rules ask `in_shift("…")`.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "only its shape is used")]
struct Shift {
    #[schemars(regex(pattern = NAME))]
    name: String,
    /// The days on which it begins.
    days: Vec<DayWord>,
    #[schemars(regex(pattern = TIME))]
    start: String,
    /// On the next day when it is not after `start`.
    #[schemars(regex(pattern = TIME))]
    end: String,
    /// Other hours of the same shift on other days.
    #[schemars(default)]
    also: Vec<Hours>,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "only its shape is used")]
struct Hours {
    days: Vec<DayWord>,
    #[schemars(regex(pattern = TIME))]
    start: String,
    #[schemars(regex(pattern = TIME))]
    end: String,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case")]
#[expect(dead_code, reason = "only its shape is used")]
enum DayWord {
    /// Monday to Friday and no holiday; a half-day until it ends.
    Workday,
    /// Saturday and Sunday, also those that are holidays.
    Weekend,
    /// A holiday; a half-day from where it ends.
    Holiday,
    EveryDay,
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

/// On which days a round is made.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "only its shape is used")]
struct Route {
    #[schemars(regex(pattern = NAME))]
    name: String,
    days: Vec<RouteDay>,
    /// When the crew sets out.
    #[schemars(regex(pattern = TIME))]
    at: String,
    #[schemars(range(min = *EVERY_WEEKS.start(), max = *EVERY_WEEKS.end()), extend("default" = 1))]
    every_weeks: Option<u8>,
    /// Any date in a week with service.
    #[schemars(regex(pattern = DATE))]
    anchor: Option<String>,
    /// What becomes of a service that falls on a holiday; `next-workday` is the default.
    on_holiday: Option<OnHoliday>,
    /// Dates without their service, or with it on another date.
    #[schemars(default)]
    exception: Vec<Exception>,
    /// Dates with a service more.
    #[schemars(with = "Option<Vec<String>>")]
    extra: Option<()>,
    /// Kinds of asset that are on this route when they name none.
    default_for: Option<Vec<String>>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case")]
#[expect(dead_code, reason = "only its shape is used")]
enum RouteDay {
    EveryDay,
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case")]
#[expect(dead_code, reason = "only its shape is used")]
enum OnHoliday {
    NextWorkday,
    PreviousWorkday,
    Skip,
    AsUsual,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "only its shape is used")]
struct Exception {
    #[schemars(regex(pattern = DATE))]
    date: String,
    #[schemars(regex(pattern = DATE))]
    moved_to: Option<String>,
}
