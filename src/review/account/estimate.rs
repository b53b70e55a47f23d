//! What is estimated, in words: risk, time until full, load of a zone, and what was found to have happened.
//!
//! Of a person only whether a limit was kept is told, never the number. The words name what was counted; none says
//! what it means for anybody's health.

use super::reason::deciding;
use super::value::Telling;
use crate::domain::time::Timestamp;
use crate::rules::{About, Ahead, Answer, Form, Happening, Part, Truth};

/// Within a week a day is told by its name.
const WEEK_DAYS: i64 = 7;

impl Telling<'_> {
    /// A comparison with something estimated; none of any other.
    pub(super) fn estimated(&self, shown: &Part, sign: &str, limit: &Part) -> Option<String> {
        let Form::Estimate(about) = &shown.form else { return None };
        let constant = matches!(limit.form, Form::Constant);
        let zero = matches!(limit.answer, Answer::Number(0.0)) && constant;
        let zone = self.zone(shown);
        match (about, sign) {
            (About::TimeToLimit, "<=") if zero => {
                return Some(
                    self.words(format!("the limit for {zone} was reached"), format!("grænsen for {zone} var nået")),
                );
            }
            (About::TimeToLimit, ">") if zero => {
                return Some(self.words(
                    format!("the limit for {zone} was not reached"),
                    format!("grænsen for {zone} var ikke nået"),
                ));
            }
            _ => {}
        }
        let (noun, limit) = (self.noun(*about, shown), self.limit(limit));
        if self.personal {
            let (english, danish) = in_words(sign);
            return Some(self.words(format!("{noun} was {english} {limit}"), format!("{noun} var {danish} {limit}")));
        }
        let value = self.answer(shown);
        Some(match (about, sign) {
            // Whether more or less than is allowed, the rule calls from there on.
            (About::Overflow(_), ">=" | "<") => self.words(
                format!("{noun} was {value}, allowed under {limit}"),
                format!("{noun} var {value}, tilladt under {limit}"),
            ),
            _ => self
                .words(format!("{noun} was {value} ({sign} {limit})"), format!("{noun} var {value} ({sign} {limit})")),
        })
    }

    /// What was found, or was not.
    pub(super) fn found(&self, about: About, truth: Truth) -> Option<String> {
        let (happened, otherwise) = match about {
            About::Happened(happening) => happened(happening),
            About::Blocked => (
                ("its sensor was stuck or covered", "dens sensor sad fast eller var dækket"),
                ("its sensor was not stuck", "dens sensor sad ikke fast"),
            ),
            About::Overflow(_)
            | About::TimeToFull
            | About::SinceEmptied
            | About::Exposure
            | About::TimeToLimit
            | About::Relief => return None,
        };
        let (english, danish) = match truth {
            Truth::True => happened,
            Truth::False => otherwise,
            Truth::Unknown => return None,
        };
        Some(self.words(english, danish))
    }

    /// How full it was measured to be, where something estimated follows from it.
    pub(super) fn fill_of(&self, parts: &[&Part]) -> Option<String> {
        if self.personal {
            return None;
        }
        let mut told = None;
        for part in parts {
            part.walk(&mut |inner| {
                if let (Form::Estimate(About::Overflow(_) | About::TimeToFull), [level]) =
                    (&inner.form, &inner.parts[..])
                    && let Answer::Number(number) = level.answer
                    && told.is_none()
                {
                    told = self.quarters(number, &level.measure).map(|quarters| (level.source.clone(), quarters));
                }
            });
        }
        let (name, quarters) = told?;
        Some(self.words(format!("{name} was {quarters}"), format!("{name} var {quarters}")))
    }

    /// The risks by which a condition answers what it answers, in few words.
    pub(super) fn risks(&self, condition: &Part) -> Vec<String> {
        let risk = |part: &Part| match (&part.form, part.parts.as_slice()) {
            (Form::Compare(">="), [shown, limit]) if matches!(shown.form, Form::Estimate(About::Overflow(_))) => {
                let (value, limit) = (self.answer(shown), self.limit(limit));
                Some(self.words(
                    format!("risk of overflow before {} {value}, allowed under {limit}", self.ahead(shown)),
                    format!("risiko for overløb inden {} {value}, tilladt under {limit}", self.ahead(shown)),
                ))
            }
            _ => None,
        };
        if self.personal {
            return Vec::new();
        }
        deciding(condition).into_iter().filter(|part| part.truth() != Truth::Unknown).filter_map(risk).collect()
    }

    /// A day by its name, or by its date where that could be another week's.
    pub(super) fn day(&self, moment: Timestamp) -> Option<String> {
        let (today, then) = (self.clock.shown_at(self.at)?, self.clock.shown_at(moment)?);
        let days = i64::from(today.date().until(then.date()).ok()?.get_days());
        let named = (0..WEEK_DAYS).contains(&days);
        Some(if named { self.weekday(then.date().weekday()) } else { then.date().to_string() })
    }

    fn noun(&self, about: About, part: &Part) -> String {
        let zone = self.zone(part);
        match about {
            About::Overflow(_) => self.words(
                format!("the risk of overflow before {}", self.ahead(part)),
                format!("risikoen for overløb inden {}", self.ahead(part)),
            ),
            About::TimeToFull => self.words("the time until it is full", "tiden, til den er fuld,"),
            About::SinceEmptied => self.words("the time since it was emptied", "tiden, siden den blev tømt,"),
            About::Exposure => self.words(
                format!("the load on {zone}, in equivalent minutes,"),
                format!("belastningen af {zone} i ækvivalente minutter"),
            ),
            About::TimeToLimit => self.words(
                format!("the time until the limit for {zone}"),
                format!("tiden, til grænsen for {zone} er nået,"),
            ),
            About::Relief => {
                self.words(format!("the time {zone} has been relieved"), format!("tiden, {zone} har været aflastet,"))
            }
            About::Happened(_) | About::Blocked => part.source.clone(),
        }
    }

    /// Up to when the risk of overflow is counted.
    fn ahead(&self, part: &Part) -> String {
        if let Form::Estimate(About::Overflow(Ahead::For(span))) = &part.form {
            return self.words(format!("{span} are over"), format!("der er gået {span}"));
        }
        part.turns_at.and_then(|service| self.day(service)).map_or_else(
            || self.words("the next service", "næste tømning"),
            |day| self.words(format!("{day}'s service"), format!("tømningen {day}")),
        )
    }

    /// The zone of the body that is followed.
    fn zone(&self, part: &Part) -> String {
        let property = part.parts.first().map_or("", |property| property.source.as_str());
        match property.strip_prefix("pressure_").unwrap_or(property) {
            "sacrum" => self.words("the sacrum", "korsbenet"),
            zone => self.words(format!("the zone {zone}"), format!("zonen {zone}")),
        }
    }

    fn weekday(&self, day: jiff::civil::Weekday) -> String {
        const ENGLISH: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
        const DANISH: [&str; 7] = ["mandag", "tirsdag", "onsdag", "torsdag", "fredag", "lørdag", "søndag"];
        let at = usize::try_from(day.to_monday_zero_offset()).unwrap_or_default();
        let named = |names: [&'static str; 7]| names.get(at).copied().unwrap_or_default();
        self.words(named(ENGLISH), named(DANISH))
    }
}

/// In English and in Danish.
type Both = (&'static str, &'static str);

/// What has happened, and what has not.
const fn happened(happening: Happening) -> (Both, Both) {
    match happening {
        Happening::Emptied => (
            ("it was seen to be emptied", "den var set tømt"),
            ("it was not seen to be emptied", "den var ikke set tømt"),
        ),
        Happening::PartlyEmptied => (
            ("it had fallen deeply and not to empty", "den var faldet meget, men ikke tømt"),
            ("it had not been emptied in part", "den var ikke delvis tømt"),
        ),
        Happening::DoneNotEmptied => (
            ("a crew had said done, and two values said full", "et hold havde meldt tømt, og to målinger viste fuld"),
            ("no crew's word was denied by two values", "intet holds melding var modsagt af to målinger"),
        ),
        Happening::Settled => (
            ("its content had settled", "indholdet havde sat sig"),
            ("its content had not settled", "indholdet havde ikke sat sig"),
        ),
        Happening::Spike => (
            ("a single value had jumped and come back", "en enkelt måling var sprunget og kommet tilbage"),
            ("no single value had jumped", "ingen enkelt måling var sprunget"),
        ),
        Happening::SuddenFull => (
            ("its level had risen at once", "niveauet var steget på én gang"),
            ("its level had not risen at once", "niveauet var ikke steget på én gang"),
        ),
    }
}

fn in_words(sign: &str) -> Both {
    match sign {
        "<" => ("under", "under"),
        "<=" => ("at most", "højst"),
        ">" => ("over", "over"),
        ">=" => ("at least", "mindst"),
        "==" => ("exactly", "netop"),
        _ => ("other than", "en anden end"),
    }
}
