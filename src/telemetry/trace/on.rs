//! With the feature `otel`: spans with their own times, because a message changes threads and shares its sync with others.

use crate::domain::decision::Decision;
use crate::domain::reason::Verdict;
use opentelemetry::trace::{Span as _, SpanBuilder, SpanKind, TraceContextExt as _, Tracer as _, TracerProvider as _};
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use std::sync::OnceLock;
use std::time::SystemTime;

/// Either of them turns traces on.
const ENDPOINTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"];

static TRACER: OnceLock<SdkTracer> = OnceLock::new();

/// A point in time on the path; none while traces are off.
#[derive(Clone, Copy, Debug)]
pub struct Moment(Option<SystemTime>);

/// The trace of one message; empty when traces are off or this one is not sampled.
#[derive(Debug, Default)]
pub struct Trace(Option<Box<Context>>);

/// Sends what waits when it is dropped; drop it outside of the runtime.
#[derive(Debug)]
pub struct Exporting(Option<SdkTracerProvider>);

/// Turns traces on when an endpoint is configured. Once per process.
///
/// # Errors
/// When the exporter cannot be made from the variables.
pub fn start() -> Result<Exporting, String> {
    if !ENDPOINTS.into_iter().any(configured) {
        return Ok(Exporting(None));
    }
    let exporter = SpanExporter::builder().with_http().with_protocol(Protocol::HttpBinary).build();
    let exporter = exporter.map_err(|error| format!("export traces: {error}"))?;
    let mut resource = Resource::builder();
    if !configured("OTEL_SERVICE_NAME") {
        resource = resource.with_service_name("rettidig");
    }
    let provider = SdkTracerProvider::builder().with_resource(resource.build()).with_batch_exporter(exporter).build();
    if TRACER.set(provider.tracer("rettidig")).is_err() {
        return Err("traces have been started before".to_owned());
    }
    Ok(Exporting(Some(provider)))
}

fn configured(name: &str) -> bool {
    std::env::var_os(name).is_some_and(|value| !value.is_empty())
}

impl Drop for Exporting {
    fn drop(&mut self) {
        if let Some(Err(error)) = self.0.take().map(|provider| provider.shutdown()) {
            tracing::warn!(%error, "the last traces were not sent");
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "spans carry the system's time; it decides nothing")]
#[must_use]
pub fn moment() -> Moment {
    Moment(TRACER.get().map(|_| SystemTime::now()))
}

impl Trace {
    /// Of what is no message.
    pub const NONE: Self = Self(None);

    /// A message has come in by this way.
    #[must_use]
    pub fn arrived(way: &'static str) -> Self {
        let Some(tracer) = TRACER.get() else { return Self(None) };
        let span = SpanBuilder::from_name("uplink")
            .with_kind(SpanKind::Consumer)
            .with_attributes([KeyValue::new("rettidig.way", way)]);
        let span = tracer.build_with_context(span, &Context::new());
        if span.is_recording() { Self(Some(Box::new(Context::new().with_span(span)))) } else { Self(None) }
    }

    /// It was read, or found unreadable.
    pub fn decoded(&self, since: Moment) {
        self.child("decode", since, moment(), Vec::new());
    }

    /// The engine has decided, and the record is appended.
    pub fn decided(&mut self, since: Moment, decision: &Decision) {
        let Some(context) = &self.0 else { return };
        let verdict = match decision.verdict {
            Verdict::Accepted => "accepted",
            Verdict::Duplicate { .. } => "duplicate",
            Verdict::Redacted => "redacted",
            Verdict::Quarantined(reason) => reason.as_str(),
            Verdict::Refused(refusal) => refusal.as_str(),
        };
        let seq = i64::try_from(decision.seq.0).unwrap_or(i64::MAX);
        let said = vec![KeyValue::new("rettidig.seq", seq), KeyValue::new("rettidig.verdict", verdict)];
        context.span().set_attributes(said.clone());
        self.child("decide", since, moment(), said);
    }

    /// The batch it belongs to is durable.
    pub fn synced(&mut self, from: Moment, to: Moment) {
        self.child("journal sync", from, to, Vec::new());
    }

    /// The world has been told, and the sender has its acknowledgement: the end of the trace.
    pub fn released(self, since: Moment) {
        self.child("release", since, moment(), Vec::new());
        if let Some(context) = self.0 {
            context.span().end();
        }
    }

    fn child(&self, name: &'static str, from: Moment, to: Moment, said: Vec<KeyValue>) {
        let (Some(tracer), Some(context), Some(from), Some(to)) = (TRACER.get(), &self.0, from.0, to.0) else { return };
        let span = SpanBuilder::from_name(name).with_start_time(from).with_attributes(said);
        tracer.build_with_context(span, context).end_with_timestamp(to);
    }
}
