//! A decision as the lines of a story, for scenarios. `tests/sim` reads it too.

use super::script;
use crate::domain::decision::{Decision, Effect, Fact, Notice};
use crate::domain::event::Event;
use crate::domain::reason::Verdict;
use crate::domain::time::Timestamp;
use std::fmt::Write as _;

pub(super) fn tell(now: Timestamp, event: &Event, decision: &Decision) -> String {
    let mut lines =
        format!("{} {} → {}\n", script::clock_text(now), script::event_text(event), verdict_text(decision.verdict));
    for fact in &decision.facts {
        writeln!(lines, "      {}", fact_text(fact)).unwrap();
    }
    for effect in &decision.effects {
        let Effect::Deliver(delivery) = effect;
        let notice = match delivery.message.notice {
            Notice::Offered => "offer",
            Notice::Withdrawn => "withdrawal",
            Notice::Cancelled(_) => "cancellation",
        };
        writeln!(lines, "    → {notice} of task {} to {}", delivery.message.task, delivery.crew).unwrap();
    }
    lines
}

fn verdict_text(verdict: Verdict) -> String {
    match verdict {
        Verdict::Accepted => "accepted".to_owned(),
        Verdict::Duplicate { .. } => "duplicate".to_owned(),
        Verdict::Redacted => "redacted".to_owned(),
        Verdict::Quarantined(reason) => format!("quarantined: {reason}"),
        Verdict::Refused(refusal) => format!("refused: {refusal}"),
    }
}

fn fact_text(fact: &Fact) -> String {
    match fact {
        Fact::DelayStarted { rule, asset, due, .. } => {
            format!("{rule} waits for {asset} until {}", script::clock_text(*due))
        }
        Fact::DelayCancelled { rule, asset } => format!("{rule} waits no more for {asset}"),
        Fact::ShadowRaised { rule, asset, cause } => format!(
            "in shadow: {rule} would have raised an alarm for {asset}, observed {}",
            script::clock_text(cause.observed_at)
        ),
        Fact::ShadowEnded { rule, asset } => format!("in shadow: {rule} would be over for {asset}"),
        Fact::AlarmRaised { alarm, rule, asset, priority, cause } => format!(
            "alarm {alarm} raised: {rule} for {asset}, priority {}, observed {}{}{}",
            priority.number(),
            script::clock_text(cause.observed_at),
            if cause.exercise { ", exercise" } else { "" },
            cause.late.map_or_else(String::new, |age| format!(", {age} late")),
        ),
        Fact::AlarmReactivated { alarm, .. } => format!("alarm {alarm} active again"),
        Fact::ReturnedToNormal { alarm, .. } => format!("alarm {alarm} normal"),
        Fact::Acknowledged { alarm, by } => format!("alarm {alarm} acknowledged by {by:?}"),
        Fact::AlarmClosed { alarm } => format!("alarm {alarm} closed"),
        Fact::TaskRequested { task, alarm, kind, skill } => {
            format!("task {task} requested for alarm {alarm}: {kind} ({skill})")
        }
        Fact::TaskOffered { task, crew, expires_at, .. } => {
            format!("task {task} offered to {crew} until {}", script::clock_text(*expires_at))
        }
        Fact::TaskWaiting { task, retry_at } => {
            format!("task {task} waits: nobody can be asked until {}", script::clock_text(*retry_at))
        }
        Fact::OfferExpired { task, crew } => format!("task {task}: no answer from {crew}"),
        Fact::TaskRejected { task, crew, reason } => format!("task {task} rejected by {crew}: {}", reason.as_str()),
        Fact::TaskAccepted { task, crew } => format!("task {task} accepted by {crew}"),
        Fact::TaskStage { task, stage } => format!("task {task} {}", stage.as_str()),
        Fact::TaskCompleted { task } => format!("task {task} completed"),
        Fact::TaskCancelled { task, reason } => format!("task {task} cancelled: {}", reason.as_str()),
        Fact::DeliveryEnded { delivery: _, end } => format!("delivery ended: {end:?}"),
        Fact::DeviceSilent { device } => format!("{device} silent"),
        Fact::DeviceHeard { device } => format!("{device} heard again"),
        Fact::DeviceClockAhead { device, by } => format!("{device}'s clock is {by} ahead"),
        Fact::MeasuredLate { device, values, by } => format!("{values} late from {device}, {by} old"),
        Fact::ReleasedEarly { asset, values } => format!("{values} of {asset} judged before their time"),
    }
}
