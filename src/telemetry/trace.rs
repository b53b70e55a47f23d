//! The path of one message as an OpenTelemetry trace: uplink → decode → decide → journal sync → release.
//!
//! Compiled in with the feature `otel`, and on when `OTEL_EXPORTER_OTLP_ENDPOINT` names a collector; else a [`Trace`] is
//! nothing and costs nothing. Spans hold the way in, the record's number and the verdict: no payload, no topic, no
//! device and no person. They wait in a bounded queue (`OTEL_BSP_MAX_QUEUE_SIZE`); when it is full they are dropped, and
//! no message ever waits for one. The standard variables apply, `OTEL_TRACES_SAMPLER` among them.

#[cfg(not(feature = "otel"))]
mod off;
#[cfg(feature = "otel")]
mod on;

#[cfg(not(feature = "otel"))]
pub use off::{Exporting, Moment, Trace, moment, start};
#[cfg(feature = "otel")]
pub use on::{Exporting, Moment, Trace, moment, start};
