//! What must hold of every demand and every policy.

use super::crew::Crew;
use super::deposits::History;
use super::plans::{as_recorded, called_at, every};
use super::walk::Walk;
use super::*;
use proptest::prelude::*;

const HOUR: Span = Span::from_hours(1);

/// A container that fills by leaps, with noise, spikes, outages and emptyings at any level.
fn recorded() -> impl Strategy<Value = Vec<(Timestamp, f64)>> {
    let step = (1_i64..200, 0.0..0.2_f64, 0_u8..40, -0.03..0.03_f64);
    (0.0..1.0_f64, prop::collection::vec(step, 1..200)).prop_map(|(start, steps)| {
        let (mut at, mut content, mut values) = (Timestamp::from_micros(0), start, Vec::new());
        for (quarters, deposit, chance, noise) in steps {
            at = at + Span::from_mins(if chance == 39 { quarters * 60 } else { 15 * (quarters % 12 + 1) });
            content = if chance < 2 { 0.05 } else { (content + deposit * 0.3).min(1.0) };
            let said = if chance == 20 { 1.0 - content } else { content + noise };
            values.push((at, said.clamp(0.0, 1.05)));
        }
        values
    })
}

fn crew() -> Crew {
    Crew::without_services(Some(HOUR.times(5)))
}

/// What was there and what came is what is there, what was taken and what lies beside it.
fn conserved(history: &History, walk: &Walk<'_>) {
    let came = history.start + history.steps.iter().map(|step| step.deposit).sum::<f64>();
    let went = walk.content + walk.figures.emptied + walk.figures.spilled;
    assert!((came - went).abs() < 1e-6, "{came} came, {went} went");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_lost_whoever_empties(values in recorded(), level in 0.1..1.0_f64, days in 1_u16..10) {
        let history = History::of(&values).unwrap();
        let by = crew();
        conserved(&history, &as_recorded(&history, Timestamp::MIN));
        conserved(&history, &called_at(&history, Timestamp::MIN, level, (&by, None)));
        conserved(&history, &every(&history, Timestamp::MIN, days, (&by, None)));
    }

    #[test]
    fn who_empties_as_it_was_sees_what_was_recorded(values in recorded()) {
        let history = History::of(&values).unwrap();
        let mut walk = Walk::begin(&history, Timestamp::MIN);
        for (at, value) in values {
            let (said_at, said) = walk.recorded_value().unwrap();
            prop_assert_eq!(said_at, at);
            prop_assert!((said - value).abs() < 1e-9, "{} for {} at {:?}", said, value, at);
        }
        prop_assert!(walk.recorded_value().is_none());
    }

    #[test]
    fn figures_are_possible(values in recorded(), level in 0.1..1.0_f64) {
        let history = History::of(&values).unwrap();
        let walk = called_at(&history, Timestamp::MIN, level, (&crew(), None));
        let figures = walk.figures;
        prop_assert!(figures.unneeded <= figures.stops);
        prop_assert!(figures.overflow <= figures.watched);
        prop_assert!(figures.watched <= history.until().since(history.from()));
        let daily = walk.daily.values().map(|daily| daily.overflow).fold(Span::ZERO, |sum, day| sum + day);
        prop_assert_eq!(daily, figures.overflow);
        prop_assert!(figures.level_at_stop().is_none_or(|level| (0.0..=1.0).contains(&level)));
    }
}

#[test]
fn nothing_is_known_of_an_outage() {
    let at = |hour: i64| Timestamp::from_micros(0) + HOUR.times(hour);
    let mut values: Vec<_> = (0..48).map(|hour| (at(hour), 0.99)).collect();
    values.extend((600..610).map(|hour| (at(hour), 0.99)));
    let history = History::of(&values).unwrap();
    let walk = as_recorded(&history, Timestamp::MIN);
    assert_eq!(walk.figures.watched, HOUR.times(47 + 9));
    assert_eq!(walk.figures.overflow, HOUR.times(47 + 9));
}
