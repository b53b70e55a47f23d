//! What waits for its place in time, as it stands in a snapshot: part of an asset, and sealed with it.

use super::image::SampleState;
use super::observation::Value;
use super::reason::QualityCode;
use crate::domain::ids::PropertyName;
use crate::domain::time::{Span, Timestamp};
use crate::engine;
use minicbor::{Decode, Encode};

#[derive(Encode, Decode)]
pub struct OrderState<'a> {
    #[n(0)]
    lateness: i64,
    #[b(1)]
    properties: Vec<&'a str>,
    /// When it was measured, and how long it took to us.
    #[n(2)]
    newest: Option<(i64, i64)>,
    #[n(3)]
    judged_through: i64,
    #[n(4)]
    clock: i64,
    #[n(5)]
    behind: Option<i64>,
    #[b(6)]
    samples: Vec<SampleState<'a>>,
    #[b(7)]
    waiting: Vec<Waiting<'a>>,
}

#[derive(Encode, Decode)]
struct Waiting<'a> {
    #[b(0)]
    property: &'a str,
    #[b(1)]
    value: Value<'a>,
    #[n(2)]
    quality: QualityCode,
    #[n(3)]
    observed_at: i64,
    #[b(4)]
    device: &'a str,
    #[n(5)]
    exercise: bool,
}

impl<'a> OrderState<'a> {
    /// What may stand in the open about a person: what is waited for, but nothing measured.
    pub fn open(image: &'a engine::OrderImage) -> Self {
        Self { samples: Vec::new(), waiting: Vec::new(), ..image.into() }
    }
}

impl<'a> From<&'a engine::OrderImage> for OrderState<'a> {
    fn from(image: &'a engine::OrderImage) -> Self {
        let waiting = image.waiting.iter().map(|waiting| Waiting {
            property: waiting.property.as_str(),
            value: (&waiting.value).into(),
            quality: waiting.quality.into(),
            observed_at: waiting.observed_at.as_micros(),
            device: waiting.device.as_str(),
            exercise: waiting.exercise,
        });
        Self {
            lateness: image.lateness.as_micros(),
            properties: image.properties.iter().map(PropertyName::as_str).collect(),
            newest: image.newest.map(|(newest, delay)| (newest.as_micros(), delay.as_micros())),
            judged_through: image.judged_through.as_micros(),
            clock: image.clock.as_micros(),
            behind: image.behind.map(Span::as_micros),
            samples: image.samples.iter().map(|(name, sample)| SampleState::new(name.as_str(), sample)).collect(),
            waiting: waiting.collect(),
        }
    }
}

impl From<OrderState<'_>> for engine::OrderImage {
    fn from(wire: OrderState<'_>) -> Self {
        let at = Timestamp::from_micros;
        let waiting = wire.waiting.into_iter().map(|waiting| engine::WaitingImage {
            property: waiting.property.into(),
            value: waiting.value.into(),
            quality: waiting.quality.into(),
            observed_at: at(waiting.observed_at),
            device: waiting.device.into(),
            exercise: waiting.exercise,
        });
        Self {
            lateness: Span::from_micros(wire.lateness),
            properties: wire.properties.into_iter().map(Into::into).collect(),
            newest: wire.newest.map(|(newest, delay)| (at(newest), Span::from_micros(delay))),
            judged_through: at(wire.judged_through),
            clock: at(wire.clock),
            behind: wire.behind.map(Span::from_micros),
            samples: wire.samples.into_iter().map(Into::into).collect(),
            waiting: waiting.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::observation::{Quality, Value};
    use crate::rules::Sample;

    #[test]
    fn what_waits_comes_back_and_nothing_measured_stands_in_the_open() {
        let at = Timestamp::from_micros;
        let waiting = engine::WaitingImage {
            property: "door".into(),
            value: Value::Text("open".into()),
            quality: Quality::Suspicious,
            observed_at: at(7),
            device: "room-1-sensor".into(),
            exercise: true,
        };
        let sample = Sample { value: Value::Boolean(true), observed_at: at(5), received_at: at(5) };
        let image = engine::OrderImage {
            lateness: Span::from_mins(60),
            properties: vec!["door".into(), "moved".into()],
            newest: Some((at(9), Span::from_secs(3))),
            judged_through: at(5),
            clock: at(6),
            behind: Some(Span::from_secs(3)),
            samples: vec![("moved".into(), sample)],
            waiting: vec![waiting],
        };
        let again = |state: OrderState<'_>| {
            let bytes = minicbor::to_vec(state).unwrap();
            engine::OrderImage::from(minicbor::decode::<OrderState<'_>>(&bytes).unwrap())
        };
        assert_eq!(again((&image).into()), image);
        let open = engine::OrderImage { samples: Vec::new(), waiting: Vec::new(), ..image.clone() };
        assert_eq!(again(OrderState::open(&image)), open);
    }
}
