//! Why an alarm stands, asked of the engine between two events.

use super::calendars::SharedCalendars;
use super::clock::Clock;
use super::handle::Handle;
use crate::console;
use crate::review::account::{Present, PresentValue, present};
use std::sync::Arc;

pub(super) fn port(handle: Handle, clock: Clock, calendars: SharedCalendars) -> console::WhyPort {
    Arc::new(move |alarm| {
        let (handle, now, written) = (handle.clone(), clock.now(), calendars.written());
        Box::pin(async move {
            let present = handle.look(move |engine| present(engine, alarm, now, &written)).await;
            Ok(present.map_err(|_| console::Unavailable)?.map(told))
        })
    })
}

fn told(present: Present) -> console::Why {
    let Present { rule, asset, version, personal, values, english, danish } = present;
    let value = |PresentValue { property, english, danish, observed_at }| console::WhyValue {
        property,
        english,
        danish,
        observed_at,
    };
    console::Why { rule, version, asset, english, danish, values: values.into_iter().map(value).collect(), personal }
}
