//! The task that keeps one broker connected: connect, serve, wait with jitter, again, until asked to stop.
//!
//! It never gives up: a wrong password is as worth retrying as a cable, since both are mended by people while we wait.

use super::client::{Client, LinkError, Session};
use super::connection::{Connection, Shared};
use super::options::{IntakeError, Options, duration};
use super::publisher::{Handle, OpenConnection, Outbound};
use super::seen::Seen;
use super::{Link, Ports, tls};
use crate::telemetry;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Starts the connection to one broker on the current runtime; it goes on until `stop` is cancelled, and `tracker`
/// then waits until everything released has been written, at most `drain_for`.
///
/// # Errors
/// [`IntakeError`] when a setting or a TLS file can not work. That the broker is away is no error.
pub fn start(
    options: Options,
    ports: Ports,
    stop: CancellationToken,
    tracker: &TaskTracker,
) -> Result<Handle, IntakeError> {
    options.check()?;
    let mut client = Client::new(&options, &options.client_id, Session::Persistent);
    if let Some(tls) = tls::load(&options)? {
        client.use_tls(tls);
    }
    let limits = &options.limits;
    let (handle, queue, open) = Handle::new(limits.publish_queue_max, limits.packet_bytes_max);
    let task =
        Task { options, ports, stop, client, queue, open, seen: Seen::default(), _keep_queue_open: handle.clone() };
    tracker.spawn(task.run());
    Ok(handle)
}

struct Task {
    options: Options,
    ports: Ports,
    stop: CancellationToken,
    client: Client,
    queue: mpsc::Receiver<Outbound>,
    open: Arc<OpenConnection>,
    seen: Seen,
    /// A closed queue is always ready and would spin the connection's loop.
    _keep_queue_open: Handle,
}

impl Task {
    async fn run(mut self) {
        let mut generation = 0;
        let mut attempt = 0;
        while !self.stop.is_cancelled() {
            generation += 1;
            let began_at = (self.ports.now)();
            let ended = self.connect_and_serve(generation).await;
            self.open.set(None);
            self.client.close();
            let Err(error) = ended else { break };
            telemetry::intake::down(&self.options.name, &error.to_string(), error.label(), error.retryable());
            (self.ports.link)(Link::Down { reason: error.to_string() });
            let lived = (self.ports.now)().since(began_at);
            let back_off = self.options.limits.back_off;
            attempt = if lived >= back_off.max { 1 } else { attempt + 1 };
            let wait = duration(back_off.wait(attempt, (self.ports.random)()));
            tokio::select! {
                () = sleep(wait) => {}
                () = self.stop.cancelled() => {}
            }
        }
        telemetry::intake::stopped(&self.options.name);
        (self.ports.link)(Link::Stopped);
    }

    /// Ok when it was asked to stop.
    async fn connect_and_serve(&mut self, generation: u64) -> Result<(), LinkError> {
        match tls::load(&self.options) {
            Ok(Some(tls)) => self.client.use_tls(tls),
            Ok(None) => {}
            // The files are being replaced, or somebody broke them: what worked last is still loaded.
            Err(error) => telemetry::intake::old_certificate(&self.options.name, &error.to_string()),
        }
        let session_present = tokio::select! {
            connected = self.client.connect() => connected?,
            () = self.stop.cancelled() => return Ok(()),
        };
        let shared = Shared {
            options: &self.options,
            ports: &self.ports,
            client: &mut self.client,
            queue: &mut self.queue,
            stop: &self.stop,
            seen: &mut self.seen,
            open: &self.open,
        };
        Connection::new(shared, generation, session_present).serve().await
    }
}
