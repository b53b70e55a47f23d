//! The forecast for containers that count how often they are opened (DOMAIN §1.4, deposit-count form).
//!
//! After each emptying the crew tells whether the container had overflowed. From pairs of number and answer the mean
//! and the spread of one deposit are fitted by likelihood; from these follows the probability of the next overflow.

use super::forecast::above;

/// Emptyings that the fit looks back at.
pub const OUTCOMES_MAX: usize = 32;

/// One deposit: mean and standard deviation, in the unit of the capacity (litres).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Deposit {
    pub mean: f64,
    pub deviation: f64,
}

/// What was found at the last emptyings: at most [`OUTCOMES_MAX`], the oldest goes first. 136 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Outcomes {
    pub deposits: [u32; OUTCOMES_MAX],
    /// Bit i: the i-th had overflowed.
    pub overflowed: u32,
    pub count: u32,
}

/// Probability that `known` deposits and `expected` more (a Poisson number) exceed `capacity`: 0 to 1, rising with
/// both numbers (DOMAIN §1.4 and §7.2).
#[must_use]
pub fn p_overflow(known: f64, expected: f64, deposit: Deposit, capacity: f64) -> f64 {
    let number = known + expected;
    let variance = number * deposit.deviation * deposit.deviation + expected * deposit.mean * deposit.mean;
    above(capacity, number * deposit.mean, variance.max(0.0).sqrt())
}

impl Outcomes {
    /// The container was emptied after `deposits` openings and had overflowed or not.
    pub fn learn(&mut self, deposits: u32, overflowed: bool) {
        let slot = self.count as usize % OUTCOMES_MAX;
        self.deposits[slot] = deposits;
        self.overflowed = (self.overflowed & !(1 << slot)) | (u32::from(overflowed) << slot);
        // Counts on modulo the ring, so that it never runs over and a full ring stays recognisable.
        self.count = if self.count as usize + 1 >= 2 * OUTCOMES_MAX { OUTCOMES_MAX as u32 } else { self.count + 1 };
    }

    /// Most likely mean and deviation of a deposit, looked for on a grid around `prior`: means from half to double in
    /// steps of 2 %, deviations from 0.05 to 0.8 of the mean. `prior` itself until both answers were heard, because
    /// one answer alone says only on which side the capacity lies. About 1,100 evaluations per outcome: for the
    /// moment of an emptying, not for each observation.
    #[must_use]
    pub fn fitted(&self, prior: Deposit, capacity: f64) -> Deposit {
        let held = (self.count as usize).min(OUTCOMES_MAX);
        let mask = if held == OUTCOMES_MAX { u32::MAX } else { (1 << held) - 1 };
        if self.overflowed & mask == 0 || self.overflowed & mask == mask {
            return prior;
        }
        let (mut best, mut most) = (prior, f64::NEG_INFINITY);
        let mut mean = prior.mean * 0.5;
        while mean <= prior.mean * 2.0 {
            for step in 1_u8..=16 {
                let deposit = Deposit { mean, deviation: mean * f64::from(step) * 0.05 };
                let likelihood = self.log_likelihood(held, deposit, capacity);
                if likelihood > most {
                    (best, most) = (deposit, likelihood);
                }
            }
            mean *= 1.02;
        }
        best
    }

    fn log_likelihood(&self, held: usize, deposit: Deposit, capacity: f64) -> f64 {
        let mut sum = 0.0;
        for (slot, number) in self.deposits.iter().enumerate().take(held) {
            let p = p_overflow(f64::from(*number), 0.0, deposit, capacity).clamp(1e-6, 1.0 - 1e-6);
            sum += libm::log(if self.overflowed >> slot & 1 == 1 { p } else { 1.0 - p });
        }
        sum
    }
}
