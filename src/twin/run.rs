//! A run from start to end: demo and playback, paced at the wall, watched, and reported.
//!
//! Pacing waits between steps and never inside one, so speed changes when things happen at the wall and nothing
//! else.

use super::crews::Crews;
use super::fault::TwinError;
use super::gateway::{GatewayPorts, Speed};
use super::lockstep::{Lockstep, Stride};
use super::municipality::{STARTS_AT, crews, municipality};
use super::notes::Notes;
use super::recording::Recording;
use super::report::Report;
use super::scene::Scene;
use super::spoil::Limits;
use super::temper::Manner;
use super::town::Town;
use super::transport::Transport;
use super::watch::{Display, Picture, Watch};
use super::wire::Wires;
use crate::domain::time::Span;
use std::io::Write;
use std::time::Duration;

/// How a demo runs.
#[derive(Clone, Copy, Debug)]
pub struct DemoOptions {
    pub seed: u64,
    pub speed: Speed,
    /// How long at the wall, at `speed`: a fixed amount of simulated time. None runs until somebody ends it.
    pub wall: Option<Duration>,
    pub display: Display,
}

/// How recorded series are played.
#[derive(Clone, Copy, Debug)]
pub struct PlayOptions {
    pub seed: u64,
    pub speed: Speed,
    pub display: Display,
}

/// Five seconds are short against every offer's time-out; fifteen against the shortest of them, a minute.
pub(super) const DEMO_STRIDE: Stride = Stride { tick: Span::from_secs(5), max: Span::from_secs(15) };
/// Recorded rows are minutes apart; five minutes are half the time-out of an offer to empty a bin.
pub(super) const PLAY_STRIDE: Stride = Stride { tick: Span::from_secs(1), max: Span::from_mins(5) };
/// A person who presses `q` waits no longer than this.
const NAP_MAX: Duration = Duration::from_millis(100);
/// Less than this is not worth a word.
const BEHIND_MIN: Duration = Duration::from_millis(500);

/// Runs the simulated municipality against the gateway. Its registry and logins must be in place
/// ([`municipality`] of the same seed), and the shared clock must stand at [`STARTS_AT`].
///
/// # Errors
/// A connection is lost or never acknowledged, or `out` cannot be written.
pub async fn demo(
    options: DemoOptions,
    ports: GatewayPorts,
    out: &mut (dyn Write + Send),
) -> Result<Report, TwinError> {
    let limits = Limits { payload_bytes_max: ports.payload_bytes_max };
    let mut lockstep = Lockstep {
        transport: Wires::new(ports.address, ports.logins.clone()),
        scene: Town::new(&municipality(options.seed), limits),
        crews: Crews::new(options.seed, Manner::Human, &crews()),
        notes: Notes::default(),
        starts_at: STARTS_AT,
        now: STARTS_AT,
        ends_at: options.wall.map(|wall| STARTS_AT + options.speed.simulated(wall)),
        stride: DEMO_STRIDE,
        sent: 0,
        ports,
    };
    let mut watch = Watch::new(options.display, out)?;
    let ran = run(&mut lockstep, Terms { seed: options.seed, speed: options.speed }, &mut watch).await;
    lockstep.transport.close().await;
    ran
}

/// Plays recorded series through the gateway. Their registry and logins must be in place, and the shared clock must
/// stand at [`Recording::starts_at`].
///
/// # Errors
/// A connection is lost or never acknowledged, or `out` cannot be written.
pub async fn play(
    recording: Recording,
    options: PlayOptions,
    ports: GatewayPorts,
    out: &mut (dyn Write + Send),
) -> Result<Report, TwinError> {
    let mut lockstep = Lockstep {
        transport: Wires::new(ports.address, ports.logins.clone()),
        crews: Crews::new(options.seed, Manner::Reliable, &Recording::crews()),
        notes: Notes::default(),
        starts_at: recording.starts_at(),
        now: recording.starts_at(),
        ends_at: Some(recording.ends_at()),
        stride: PLAY_STRIDE,
        sent: 0,
        scene: recording,
        ports,
    };
    let mut watch = Watch::new(options.display, out)?;
    let ran = run(&mut lockstep, Terms { seed: options.seed, speed: options.speed }, &mut watch).await;
    lockstep.transport.close().await;
    let (containers, row_faults) = (lockstep.scene.containers().to_vec(), lockstep.scene.faults().to_vec());
    ran.map(|report| Report { containers, row_faults, ..report })
}

/// What a run is asked to be.
#[derive(Clone, Copy)]
struct Terms {
    seed: u64,
    speed: Speed,
}

async fn run<T: Transport, S: Scene>(
    lockstep: &mut Lockstep<T, S>,
    terms: Terms,
    watch: &mut Watch<'_>,
) -> Result<Report, TwinError> {
    let began = (lockstep.ports.wall)();
    let (title, misbehaving) = (lockstep.scene.title(), lockstep.scene.misbehaving());
    let look = |lockstep: &Lockstep<T, S>, watch: &mut Watch<'_>| -> Result<bool, TwinError> {
        let wall = (lockstep.ports.wall)().saturating_sub(began);
        if watch.due(lockstep.now, wall) {
            watch.show(&picture(lockstep, terms, wall, (&title, &misbehaving)))?;
        }
        Ok(watch.quit_asked()? || lockstep.ports.stop.is_cancelled())
    };
    lockstep.muster().await?;
    let mut ended_early = look(lockstep, watch)?;
    while !ended_early && lockstep.step().await? {
        ended_early = look(lockstep, watch)?;
        while let Some(nap) = ahead(lockstep, terms.speed, began).filter(|_| !ended_early) {
            tokio::time::sleep(nap.min(NAP_MAX)).await;
            ended_early = look(lockstep, watch)?;
        }
    }
    let wall = (lockstep.ports.wall)().saturating_sub(began);
    let behind = wall.saturating_sub(meant(lockstep, terms.speed).unwrap_or(wall));
    Ok(Report {
        seed: terms.seed,
        speed: terms.speed,
        simulated: lockstep.now.since(lockstep.starts_at),
        wall,
        behind: if behind < BEHIND_MIN { Duration::ZERO } else { behind },
        ended_early,
        sent: lockstep.sent,
        counts: (lockstep.ports.report)(),
        containers: Vec::new(),
        row_faults: Vec::new(),
    })
}

/// How long at the wall the simulated time so far should have taken; none when flat out.
fn meant<T, S>(lockstep: &Lockstep<T, S>, speed: Speed) -> Option<Duration> {
    match speed {
        Speed::Times(factor) => {
            let simulated = lockstep.now.since(lockstep.starts_at).as_micros();
            Some(Duration::from_micros(u64::try_from(simulated).unwrap_or(0)) / factor.max(1))
        }
        Speed::Max => None,
    }
}

/// How far simulated time is ahead of the wall.
fn ahead<T, S>(lockstep: &Lockstep<T, S>, speed: Speed, began: Duration) -> Option<Duration> {
    let wall = (lockstep.ports.wall)().saturating_sub(began);
    meant(lockstep, speed)?.checked_sub(wall).filter(|ahead| !ahead.is_zero())
}

fn picture<'a, T: Transport, S: Scene>(
    lockstep: &'a Lockstep<T, S>,
    terms: Terms,
    wall: Duration,
    (title, misbehaving): (&'a str, &'a [String]),
) -> Picture<'a> {
    Picture {
        title,
        seed: terms.seed,
        speed: terms.speed,
        now: lockstep.now,
        ends_at: lockstep.ends_at,
        wall,
        counts: (lockstep.ports.report)(),
        open: (lockstep.ports.open)(),
        notes: &lockstep.notes,
        misbehaving,
        page: lockstep.ports.page.as_ref(),
    }
}
