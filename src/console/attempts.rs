//! How often one peer may try to sign in.
//!
//! One moment is kept per peer: when its allowance will be whole again. A peer that has been quiet is forgotten first;
//! when every remembered peer is still recovering, strangers wait as well, so that the memory stays bounded.

use crate::domain::time::{Span, Timestamp};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};

pub(super) struct Attempts {
    /// What one attempt costs.
    cost: Span,
    allowance: Span,
    peers_max: usize,
    whole_again_at: Mutex<BTreeMap<IpAddr, Timestamp>>,
}

impl Attempts {
    pub(super) fn new(per_minute: u32, peers_max: usize) -> Self {
        let allowance = Span::from_mins(1);
        let cost = Span::from_micros(allowance.as_micros() / i64::from(per_minute.max(1)));
        Self { cost, allowance, peers_max, whole_again_at: Mutex::default() }
    }

    /// Takes one attempt from the peer's allowance.
    ///
    /// # Errors
    /// How long to wait for the next one.
    pub(super) fn take(&self, peer: IpAddr, now: Timestamp) -> Result<(), Span> {
        let mut peers = self.whole_again_at.lock().unwrap_or_else(PoisonError::into_inner);
        let peer = neighbourhood(peer);
        if peers.len() >= self.peers_max && !peers.contains_key(&peer) {
            peers.retain(|_, whole_again_at| *whole_again_at > now);
            if peers.len() >= self.peers_max {
                return Err(self.cost);
            }
        }
        let whole_again_at = peers.get(&peer).copied().unwrap_or(now).max(now) + self.cost;
        let used = whole_again_at.since(now);
        if used > self.allowance {
            return Err(Span::from_micros(used.as_micros() - self.allowance.as_micros()));
        }
        peers.insert(peer, whole_again_at);
        Ok(())
    }

    /// A right password costs nothing.
    pub(super) fn forgive(&self, peer: IpAddr) {
        let mut peers = self.whole_again_at.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(whole_again_at) = peers.get_mut(&neighbourhood(peer)) {
            *whole_again_at = *whole_again_at - self.cost;
        }
    }
}

/// One subscriber holds a whole IPv6 /64; it is one peer.
fn neighbourhood(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(0) + Span::from_secs(seconds)
    }

    #[test]
    fn an_allowance_is_used_up_and_comes_back() {
        let attempts = Attempts::new(3, 10);
        let peer: IpAddr = "10.0.0.1".parse().unwrap();
        assert_eq!((0..5).filter(|_| attempts.take(peer, at(0)).is_ok()).count(), 3);
        assert_eq!(attempts.take(peer, at(0)), Err(Span::from_secs(20)));
        assert_eq!(attempts.take("10.0.0.2".parse().unwrap(), at(0)), Ok(()));
        assert_eq!(attempts.take(peer, at(20)), Ok(()));
        attempts.forgive(peer);
        assert_eq!(attempts.take(peer, at(20)), Ok(()));
        assert!(attempts.take(peer, at(20)).is_err());
    }

    #[test]
    fn the_memory_is_bounded_and_forgets_the_quiet_first() {
        let attempts = Attempts::new(3, 2);
        for peer in ["10.0.0.1", "10.0.0.2"] {
            assert!(attempts.take(peer.parse().unwrap(), at(0)).is_ok());
        }
        assert!(attempts.take("10.0.0.3".parse().unwrap(), at(1)).is_err());
        assert!(attempts.take("10.0.0.3".parse().unwrap(), at(30)).is_ok());
    }

    #[test]
    fn one_ipv6_network_is_one_peer() {
        let attempts = Attempts::new(1, 10);
        assert!(attempts.take("2001:db8::1".parse().unwrap(), at(0)).is_ok());
        assert!(attempts.take("2001:db8::2".parse().unwrap(), at(0)).is_err());
        assert!(attempts.take("2001:db8:0:1::2".parse().unwrap(), at(0)).is_ok());
    }
}
