//! Seeded chance: the same seed and names give the same draws on every machine.
//!
//! Every thing that draws has a stream of its own, named after what it is. Nothing depends on the order in which
//! things happen to be asked, so adding one bin never changes another bin's day. Transcendentals come from `libm`.

use crate::domain::time::Span;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// One stream of draws.
#[derive(Clone, Debug)]
pub(crate) struct Chance(ChaCha8Rng);

impl Chance {
    /// The stream called `names` under `seed`: different names never share draws.
    pub(crate) fn new(seed: u64, names: &[&str]) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&seed.to_le_bytes());
        for name in names {
            // The length keeps ["ab", "c"] apart from ["a", "bc"].
            hasher.update(&(name.len() as u64).to_le_bytes());
            hasher.update(name.as_bytes());
        }
        Self(ChaCha8Rng::from_seed(*hasher.finalize().as_bytes()))
    }

    /// In `[0, 1)`, with the 53 bits that a double holds.
    fn unit(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// In `[low, high)`.
    pub(crate) fn uniform(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// True with probability `p`.
    pub(crate) fn happens(&mut self, p: f64) -> bool {
        self.unit() < p
    }

    /// One of `0..count`; zero when there is nothing to choose from.
    pub(crate) fn below(&mut self, count: usize) -> usize {
        (self.unit() * count as f64) as usize
    }

    pub(crate) fn span(&mut self, low: Span, high: Span) -> Span {
        Span::from_micros(self.uniform(low.as_micros() as f64, high.as_micros() as f64) as i64)
    }

    pub(crate) fn exponential(&mut self, mean: f64) -> f64 {
        -mean * libm::log(1.0 - self.unit())
    }

    pub(crate) fn normal(&mut self, mean: f64, deviation: f64) -> f64 {
        let radius = libm::sqrt(-2.0 * libm::log(1.0 - self.unit()));
        mean + deviation * radius * libm::cos(std::f64::consts::TAU * self.unit())
    }

    pub(crate) fn lognormal(&mut self, median: f64, sigma: f64) -> f64 {
        median * libm::exp(self.normal(0.0, sigma))
    }

    /// Marsaglia and Tsang's method; `shape` is at least 1 everywhere in this room.
    pub(crate) fn gamma(&mut self, mean: f64, shape: f64) -> f64 {
        let d = shape - 1.0 / 3.0;
        let c = 1.0 / libm::sqrt(9.0 * d);
        loop {
            let x = self.normal(0.0, 1.0);
            let root = 1.0 + c * x;
            if root <= 0.0 {
                continue;
            }
            let cube = root * root * root;
            if libm::log(1.0 - self.unit()) < 0.5 * x * x + d - d * cube + d * libm::log(cube) {
                return mean / shape * d * cube;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mean_of(draws: usize, mut draw: impl FnMut() -> f64) -> f64 {
        (0..draws).map(|_| draw()).sum::<f64>() / draws as f64
    }

    #[test]
    fn the_same_name_gives_the_same_draws_and_another_name_gives_others() {
        let draws = |seed, names: &[&str]| {
            let mut chance = Chance::new(seed, names);
            [chance.uniform(0.0, 1.0), chance.normal(0.0, 1.0), chance.gamma(0.6, 1.3)].map(f64::to_bits)
        };
        assert_eq!(draws(7, &["bin", "1"]), draws(7, &["bin", "1"]));
        assert_ne!(draws(7, &["bin", "1"]), draws(8, &["bin", "1"]));
        assert_ne!(draws(7, &["bin", "1"]), draws(7, &["bin1", ""]));
    }

    #[test]
    fn the_draws_have_the_means_they_promise() {
        let mut chance = Chance::new(1, &["means"]);
        let close = |got: f64, wanted: f64| assert!((got - wanted).abs() < 0.03 * wanted, "{got} is not {wanted}");
        close(mean_of(40_000, || chance.gamma(0.6, 1.3)), 0.6);
        close(mean_of(40_000, || chance.exponential(0.025)), 0.025);
        close(mean_of(40_000, || chance.normal(5.0, 1.0)), 5.0);
        close(mean_of(40_000, || chance.below(11) as f64), 5.0);
    }
}
