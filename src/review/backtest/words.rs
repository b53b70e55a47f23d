//! What a report says in words, in English and Danish.

use super::{DataRead, Model, PolicyName};
use std::fmt::Write as _;

/// The same in both languages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Both {
    pub en: String,
    pub da: String,
}

pub(super) fn both(en: impl Into<String>, da: impl Into<String>) -> Both {
    Both { en: en.into(), da: da.into() }
}

/// What the figures do not say, the same in every report.
pub(super) const LIMITS: [(&str, &str); 5] = [
    (
        "What was put into a bin follows from how its level rose. While it was full, and around an emptying, its own usual pace stands in: \"estimated\" says how much of the time.",
        "Hvad der er lagt i en spand, følger af, hvordan dens niveau steg. Mens den var fuld, og omkring en tømning, bruges dens egen sædvanlige fart: \"skønnet\" siger, hvor meget af tiden.",
    ),
    (
        "Emptyings are found in the levels. One of a nearly empty bin cannot be seen: the stops of \"as it was\" are at least so many.",
        "Tømninger findes i niveauerne. En tømning af en næsten tom spand kan ikke ses: Stop under \"som det var\" er mindst så mange.",
    ),
    (
        "People are taken to bring the same, however full the bin is; a crew that is called always comes, and leaves what crews usually leave in this bin.",
        "Det antages, at folk kommer med det samme, uanset hvor fuld spanden er, og at et hold, der kaldes, altid kommer og efterlader, hvad der plejer at blive tilbage i denne spand.",
    ),
    (
        "Nothing is known of an outage of the sensor: its hours are not counted.",
        "Der vides intet om et udfald af sensoren: Dets timer tælles ikke med.",
    ),
    (
        "How far crews drive is not modelled, nor how many stops a vehicle can make.",
        "Hvor langt holdene kører, er ikke modelleret, og heller ikke hvor mange stop en bil kan nå.",
    ),
];

pub(super) const ONLY_ALARMS: (&str, &str) = (
    "Of beds and everything else that is no bin, only alarms and tasks are compared, with the values as recorded: nothing is modelled.",
    "For senge og alt andet, der ikke er en spand, sammenlignes kun alarmer og opgaver, med målingerne som optaget: Intet er modelleret.",
);

pub(super) const AS_IT_WAS: &str = "recorded";

impl DataRead {
    pub(super) fn said(&self) -> Both {
        match self {
            Self::Journal { id, first, last } => both(
                format!("journal {id}, events {first} to {last}"),
                format!("journal {id}, hændelser {first} til {last}"),
            ),
            Self::Series(count) => both(format!("{count} recorded series"), format!("{count} optagne serier")),
        }
    }
}

impl PolicyName {
    /// As `--policy` takes it.
    #[must_use]
    pub fn written(&self) -> String {
        match self {
            Self::Rules(folder) => format!("rules:{folder}"),
            Self::Level(level) => format!("level:{}", percent(*level)),
            Self::Fixed(None) => "fixed:auto".to_owned(),
            Self::Fixed(Some(days)) => format!("fixed:{days}"),
        }
    }

    pub(super) fn said(&self) -> Both {
        match self {
            Self::Rules(folder) => both(format!("rules {folder}"), format!("regler {folder}")),
            Self::Level(level) => {
                let level = percent(*level);
                both(format!("call at {level} %"), format!("kald ved {level} %"))
            }
            Self::Fixed(None) => both("tuned fixed plan", "tilpasset fast plan"),
            Self::Fixed(Some(1)) => both("every day", "hver dag"),
            Self::Fixed(Some(days)) => both(format!("every {days} days"), format!("hver {days}. dag")),
        }
    }
}

pub(super) fn as_it_was() -> Both {
    both("as it was", "som det var")
}

/// When the modelled crew comes and what the policies are judged by.
pub(super) fn model(model: &Model) -> Both {
    let hours = model.respond.map_or(24.0, super::render::hours);
    let mut said = match (model.with_service, model.respond) {
        (false, _) => both(
            format!("A crew drives out for each call and is there {hours} hours after it."),
            format!("Et hold kører ud for hvert kald og er der {hours} timer efter."),
        ),
        (true, None) => both(
            "A crew that is called comes with the next service of the bin's route, or after 24 hours where it has none.",
            "Et hold, der kaldes, kommer med næste kørsel på spandens rute eller efter 24 timer, hvor den ingen har.",
        ),
        (true, Some(_)) => both(
            format!(
                "A crew that is called comes {hours} hours later, with the first service of the bin's route from then."
            ),
            format!("Et hold, der kaldes, kommer {hours} timer senere med første kørsel på spandens rute derefter."),
        ),
    };
    if model.tuned_on > 0.0 {
        let (part, full) = (percent(model.tuned_on), percent(model.full_at_most));
        // Writing to a text cannot fail.
        let _ = write!(
            said.en,
            " Figures are of what follows the first {part} % of each bin's time; on those a tuned plan took the longest interval with which the bin is full for at most {full} % of the time more than with the shortest."
        );
        let _ = write!(
            said.da,
            " Tallene gælder, hvad der følger efter de første {part} % af hver spands tid; på dem har en tilpasset plan fået det længste interval, hvor spanden højst er fuld {full} % af tiden mere end med det korteste."
        );
    }
    said
}

/// Without digits that nobody asked for: 80, 12.5.
pub(super) fn percent(share: f64) -> f64 {
    (share * 1e4).round() / 100.0
}
