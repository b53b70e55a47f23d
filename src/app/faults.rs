//! Faults ordered by tests, compiled in with the feature `faults` only.
//!
//! A build without the feature holds none of this: the functions are empty. What is ordered stands in the
//! environment: `RETTIDIG_FAULT_ABORT_ON_DEVICE=bin-7` breaks the engine on a message of that device,
//! `RETTIDIG_FAULT_END_BEFORE_RELEASE=bin-7` ends the process when one is durable and not yet acknowledged, and
//! `RETTIDIG_FAULT_END_AT_STEP=SwitchRename:2` ends it before the journal's second step of that name.

use crate::domain::event::Event;
use crate::journal::fault::FaultHook;

/// Breaks the engine on the device that was named.
#[cfg(feature = "faults")]
pub fn maybe_abort(event: &Event) {
    let Event::Observed(observed) = event else { return };
    assert!(ordered("ABORT_ON_DEVICE").as_deref() != Some(observed.device.as_str()), "ordered by a test");
}

/// Ends the process, as `kill -9` does, when one of these durable events is of the device that was named.
#[cfg(feature = "faults")]
pub fn maybe_end_before_release<'a>(mut durable: impl Iterator<Item = &'a Event>) {
    let Some(device) = ordered("END_BEFORE_RELEASE") else { return };
    if durable.any(|event| matches!(event, Event::Observed(observed) if observed.device.as_str() == device)) {
        std::process::abort();
    }
}

/// Ends the process before the journal's n-th step of the name that was given.
#[cfg(feature = "faults")]
pub fn journal() -> Option<FaultHook> {
    use crate::journal::fault::FaultOrder;
    use std::sync::atomic::{AtomicU32, Ordering};
    let order = ordered("END_AT_STEP")?;
    let (name, nth) = order.split_once(':')?;
    let (name, left) = (name.to_owned(), AtomicU32::new(nth.parse().ok()?));
    Some(std::sync::Arc::new(move |step| {
        if format!("{step:?}") == name && left.fetch_sub(1, Ordering::Relaxed) == 1 {
            std::process::abort();
        }
        FaultOrder::Go
    }))
}

#[cfg(feature = "faults")]
fn ordered(fault: &str) -> Option<String> {
    std::env::var(format!("RETTIDIG_FAULT_{fault}")).ok()
}

#[cfg(not(feature = "faults"))]
pub const fn maybe_abort(_event: &Event) {}

#[cfg(not(feature = "faults"))]
pub fn maybe_end_before_release<'a>(_durable: impl Iterator<Item = &'a Event>) {}

#[cfg(not(feature = "faults"))]
pub const fn journal() -> Option<FaultHook> {
    None
}
