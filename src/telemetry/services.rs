//! What each service of the municipality uses: observations, alarms, tasks, and how long people take.
//!
//! The handles of one service are fetched once; an event then costs an atomic addition.
#![expect(clippy::disallowed_macros, reason = "metric names live in telemetry, and this is it")]

use crate::domain::alarm::Priority;
use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};

/// What a rule in shadow would have raised.
pub fn in_shadow(rule: &str) -> Counter {
    counter!("rettidig_rule_shadow_raised_total", "rule" => rule.to_owned())
}

/// The meters of one service.
pub struct Meter {
    pub events: Counter,
    pub devices: Gauge,
    pub devices_silent: Gauge,
    work: [Work; Priority::ALL.len()],
}

/// The meters of one service and priority.
pub struct Work {
    pub raised: Counter,
    pub alarms_open: Gauge,
    pub unacknowledged: Gauge,
    pub response: Histogram,
    pub requested: Counter,
    pub completed: Counter,
    pub cancelled: Counter,
    pub tasks_open: Gauge,
    pub completion: Histogram,
}

impl Meter {
    /// With every gauge at zero.
    #[must_use]
    pub fn new(service: &str) -> Self {
        let service = service.to_owned();
        let meter = Self {
            events: counter!("rettidig_service_events_total", "service" => service.clone()),
            devices: gauge!("rettidig_service_devices", "service" => service.clone()),
            devices_silent: gauge!("rettidig_service_devices_silent", "service" => service.clone()),
            work: Priority::ALL.map(|priority| Work::new(&service, priority)),
        };
        meter.devices.set(0.0);
        meter.devices_silent.set(0.0);
        meter
    }

    #[must_use]
    pub const fn work(&self, priority: Priority) -> &Work {
        &self.work[priority as usize]
    }
}

impl Work {
    fn new(service: &str, priority: Priority) -> Self {
        let labels = [("service", service.to_owned()), ("priority", priority.number().to_string())];
        let work = Self {
            raised: counter!("rettidig_alarms_raised_total", &labels),
            alarms_open: gauge!("rettidig_alarms_open", &labels),
            unacknowledged: gauge!("rettidig_alarms_unacknowledged", &labels),
            response: histogram!("rettidig_alarm_response_seconds", &labels),
            requested: counter!("rettidig_tasks_requested_total", &labels),
            completed: counter!("rettidig_tasks_completed_total", &labels),
            cancelled: counter!("rettidig_tasks_cancelled_total", &labels),
            tasks_open: gauge!("rettidig_tasks_open", &labels),
            completion: histogram!("rettidig_task_completion_seconds", &labels),
        };
        for gauge in [&work.alarms_open, &work.unacknowledged, &work.tasks_open] {
            gauge.set(0.0);
        }
        work
    }
}

/// How long the oldest alarm nobody has seen has waited, by priority, in seconds.
pub fn oldest_unacknowledged(seconds: [f64; Priority::ALL.len()]) {
    for (priority, seconds) in Priority::ALL.into_iter().zip(seconds) {
        let number = priority.number().to_string();
        gauge!("rettidig_alarms_unacknowledged_oldest_seconds", "priority" => number).set(seconds);
    }
}
