//! From what a sensor measures to how full the container is: 0 empty, 1 full, at most 1.05 (DOMAIN §1.2).
//!
//! Nothing here remembers anything. The distance of an empty container is learned by `container`.

/// The highest level that is told: more than full cannot be measured, only that it is more (DOMAIN §1.2).
pub const LEVEL_MAX: f64 = 1.05;

/// Most points of a [`VolumeTable`].
pub const TABLE_POINTS_MAX: usize = 10;

/// What the sensor's number means.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scale {
    /// Millimetres from the sensor to what lies below it.
    Distance {
        /// Distance at the lid line, where the container is full; at least the sensor's blind zone. mm.
        full_mm: f64,
        /// Distance below which the sensor cannot measure. mm.
        blind_mm: f64,
        /// For tapered and half-buried containers: height to volume.
        volume: Option<VolumeTable>,
    },
    /// The device tells a share itself. `full` is the number it tells when full: 1, 100, or 10 for six steps of two.
    Share { full: f64 },
}

/// Height to volume by straight lines between at most ten points, both as shares of the whole.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct VolumeTable {
    points: [(f32, f32); TABLE_POINTS_MAX],
    length: u8,
}

impl VolumeTable {
    /// None unless there are 2 to 10 points, both columns rise from 0 to 1 and no height comes twice.
    #[must_use]
    pub fn new(points: &[(f64, f64)]) -> Option<Self> {
        let (&first, &last) = (points.first()?, points.last()?);
        let ends = [first.0, first.1, last.0 - 1.0, last.1 - 1.0].iter().all(|end| end.abs() < 1e-9);
        let rising = points.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 <= pair[1].1);
        if !(2..=TABLE_POINTS_MAX).contains(&points.len()) || !ends || !rising {
            return None;
        }
        let mut table = Self { points: [(1.0, 1.0); TABLE_POINTS_MAX], length: points.len() as u8 };
        for (slot, &(height, volume)) in table.points.iter_mut().zip(points) {
            *slot = (height as f32, volume as f32);
        }
        Some(table)
    }

    /// Share of the volume below `height` (a share of the whole height). Above the lid line it goes on at slope 1.
    #[must_use]
    pub fn volume(&self, height: f64) -> f64 {
        if height <= 0.0 || height >= 1.0 {
            return height;
        }
        let points = &self.points[..usize::from(self.length)];
        let above = points.iter().position(|&(at, _)| f64::from(at) >= height).unwrap_or(points.len() - 1).max(1);
        let ((low, from), (high, to)) = (points[above - 1], points[above]);
        let (low, from, high, to) = (f64::from(low), f64::from(from), f64::from(high), f64::from(to));
        if high > low { from + (to - from) * (height - low) / (high - low) } else { to }
    }
}

/// Fill level 0 to 1.05 of a container whose floor is `empty_mm` away and whose lid line `full_mm` (DOMAIN §1.2).
/// `empty_mm` not above `full_mm` is a wrong mounting: then the level is 0.
#[must_use]
pub fn from_distance(distance_mm: f64, empty_mm: f64, full_mm: f64) -> f64 {
    let depth = empty_mm - full_mm;
    if depth <= 0.0 { 0.0 } else { bounded((empty_mm - distance_mm) / depth) }
}

/// Fill level from whatever the sensor tells; `empty_mm` is not looked at for a share.
#[must_use]
pub fn from_value(value: f64, scale: &Scale, empty_mm: f64) -> f64 {
    match *scale {
        Scale::Distance { full_mm, volume, .. } => {
            let height = from_distance(value, empty_mm, full_mm);
            bounded(volume.map_or(height, |table| table.volume(height)))
        }
        Scale::Share { full } => bounded(value / full.max(f64::MIN_POSITIVE)),
    }
}

/// Speed of sound in air, m/s, at a temperature in °C (DOMAIN §1.2); good to 0.2 % between -20 and 50 °C.
#[must_use]
pub fn speed_of_sound(celsius: f64) -> f64 {
    331.3 + 0.606 * celsius
}

/// Distance in mm from a sound's time there and back. Only for devices that report the time: one that reports mm has
/// compensated already.
#[must_use]
pub fn distance_of_flight(micros: f64, celsius: f64) -> f64 {
    speed_of_sound(celsius) * micros / 2_000.0
}

/// The one in the middle.
#[must_use]
pub fn median_of_3(a: f32, b: f32, c: f32) -> f32 {
    a.min(b).max(a.max(b).min(c))
}

fn bounded(level: f64) -> f64 {
    if level.is_finite() { level.clamp(0.0, LEVEL_MAX) } else { 0.0 }
}
