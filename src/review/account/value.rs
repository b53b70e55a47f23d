//! Numbers, moments and units as a person reads them.

use crate::config::WrittenCalendars;
use crate::domain::asset::Property;
use crate::domain::ids::PropertyName;
use crate::domain::observation::{Quality, Value};
use crate::domain::time::{Span, Timestamp};
use crate::rules::{About, Answer, Form, Measure, Part, Truth};
use std::collections::BTreeMap;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    English,
    Danish,
}

/// How things are told.
#[derive(Clone, Copy)]
pub struct Telling<'a> {
    pub language: Language,
    pub clock: &'a WrittenCalendars,
    /// The properties of the asset's kind.
    pub properties: &'a BTreeMap<PropertyName, Property>,
    /// Moments of the same day are told without their date.
    pub at: Timestamp,
    /// The values are about a person: they are not told.
    pub personal: bool,
}

/// A property without dimension whose values end here at the latest is a share, told in percent.
const SHARE_MAX: f64 = 2.0;

impl Telling<'_> {
    pub fn words(&self, english: impl Into<String>, danish: impl Into<String>) -> String {
        match self.language {
            Language::English => english.into(),
            Language::Danish => danish.into(),
        }
    }

    /// A moment by the wall clock.
    #[must_use]
    pub fn moment(&self, at: Timestamp) -> String {
        let (Some(shown), today) = (self.clock.shown_at(at), self.clock.shown_at(self.at)) else {
            return format!("{at:?}");
        };
        let seconds = if shown.second() == 0 { String::new() } else { format!(":{:02}", shown.second()) };
        let time = format!("{:02}:{:02}{seconds}", shown.hour(), shown.minute());
        if today.is_some_and(|today| today.date() == shown.date()) { time } else { format!("{} {time}", shown.date()) }
    }

    /// A moment with its date, always.
    #[must_use]
    pub fn dated(&self, at: Timestamp) -> String {
        Self { at: Timestamp::MIN, ..*self }.moment(at)
    }

    #[must_use]
    pub fn number(&self, value: f64, measure: &Measure) -> String {
        match measure {
            Measure::Plain => self.decimal(value),
            Measure::Share => self.percent(value),
            Measure::LengthOfTime => {
                let whole = Span::from_micros(value as i64).as_micros() / 1_000_000;
                Span::from_secs(whole).to_string()
            }
            Measure::Of(name) => match self.properties.get(name) {
                Some(property) if share(property) => format!("{} %", self.decimal(value * 100.0)),
                Some(property) => match unit(&property.unit) {
                    "" => self.decimal(value),
                    unit => format!("{} {unit}", self.decimal(value)),
                },
                None => self.decimal(value),
            },
        }
    }

    #[must_use]
    pub fn value(&self, value: &Value, property: &PropertyName) -> String {
        match value {
            _ if self.personal => self.hidden(),
            Value::Number(number) => self.number(number.get(), &Measure::Of(property.clone())),
            Value::Boolean(value) => self.truth(Truth::from(*value)),
            Value::Text(text) => format!("\"{text}\""),
        }
    }

    #[must_use]
    pub fn truth(&self, truth: Truth) -> String {
        match truth {
            Truth::True => self.words("true", "sand"),
            Truth::False => self.words("false", "falsk"),
            Truth::Unknown => self.words("unknown", "ukendt"),
        }
    }

    /// What a part answers.
    #[must_use]
    pub fn answer(&self, part: &Part) -> String {
        let measured = self.personal && part.measured();
        match &part.answer {
            Answer::Truth(truth) if !measured => self.truth(*truth),
            Answer::Unknown => self.truth(Truth::Unknown),
            _ if measured => self.hidden(),
            Answer::Truth(truth) => self.truth(*truth),
            Answer::Number(micros) if part.form == Form::Estimate(About::TimeToFull) => {
                let about = roughly(micros.max(0.0));
                self.words(format!("about {about}"), format!("omtrent {about}"))
            }
            Answer::Number(share) if part.form == Form::Constant && part.measure == Measure::Share => {
                format!("{} %", self.decimal(share * 100.0))
            }
            Answer::Number(number) => self.number(*number, &part.measure),
            Answer::AtLeast(number) => {
                let number = self.number(*number, &part.measure);
                self.words(format!("at least {number}"), format!("mindst {number}"))
            }
            Answer::Words(text) => format!("\"{text}\""),
        }
    }

    /// A share as a sensor can be trusted to know it; none of what is no share.
    pub(super) fn quarters(&self, value: f64, measure: &Measure) -> Option<String> {
        let Measure::Of(name) = measure else { return None };
        self.properties.get(name).filter(|property| share(property))?;
        let (english, danish) = match value {
            value if value < 0.125 => ("about empty", "omtrent tom"),
            value if value < 0.375 => ("about a quarter", "omtrent en fjerdedel"),
            value if value < 0.625 => ("about half", "omtrent halvt"),
            value if value < 0.875 => ("about three quarters", "omtrent tre fjerdedele"),
            value if value <= 1.0 => ("about full", "omtrent fuld"),
            _ => ("more than full", "mere end fuld"),
        };
        Some(self.words(english, danish))
    }

    /// In whole percent, as far as a probability can be trusted; none of what is certain by rounding alone.
    fn percent(&self, share: f64) -> String {
        match share * 100.0 {
            percent if percent > 0.0 && percent < 1.0 => self.words("under 1 %", "under 1 %"),
            percent if percent > 99.0 && percent < 100.0 => self.words("over 99 %", "over 99 %"),
            percent => format!("{percent:.0} %"),
        }
    }

    pub fn hidden(&self) -> String {
        self.words("(about a person)", "(om en person)")
    }

    fn decimal(&self, value: f64) -> String {
        let text = if value.abs() >= 10.0 { format!("{value:.1}") } else { format!("{value:.3}") };
        let text = text.trim_end_matches('0').trim_end_matches('.');
        let text = if text == "-0" { "0" } else { text };
        match self.language {
            Language::English => text.to_owned(),
            Language::Danish => text.replace('.', ","),
        }
    }
}

/// In days, hours or minutes: no exact moment is known.
fn roughly(micros: f64) -> Span {
    const UNITS: [f64; 2] = [86_400e6, 3_600e6];
    let unit = UNITS.into_iter().find(|unit| micros >= 2.0 * unit).unwrap_or(60e6);
    Span::from_micros(((micros / unit).round() * unit) as i64)
}

fn share(property: &Property) -> bool {
    property.unit == "1" && property.range.is_some_and(|(_, most)| most <= SHARE_MAX)
}

/// As people write it.
fn unit(code: &str) -> &str {
    match code {
        "1" => "",
        "Cel" => "°C",
        "mm[Hg]" => "mmHg",
        other => other,
    }
}

/// By the names of OMA LwM2M.
pub(super) const fn quality(quality: Quality) -> &'static str {
    match quality {
        Quality::Unchecked => "unchecked",
        Quality::RejectedCertain => "rejected, certain",
        Quality::RejectedProbable => "rejected, probable",
        Quality::Suspicious => "suspicious",
        Quality::Accepted => "accepted",
    }
}
