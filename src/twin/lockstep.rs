//! Simulated time, step by step, with the gateway's hand on the same clock.
//!
//! One step: the clock moves, deadlines are decided, everything due at that moment is sent connection by connection,
//! the gateway comes to rest, the crews look at their phones. Nothing is sent while the gateway still works on what
//! came before, so the order of what it decides does not depend on how fast anything is. Start with `step`.

use super::crews::{Act, Crews, Offer};
use super::fault::TwinError;
use super::formats::Message;
use super::gateway::GatewayPorts;
use super::municipality::crew_line;
use super::notes::Notes;
use super::scene::{Outbox, Scene};
use super::transport::Transport;
use crate::domain::ids::CrewId;
use crate::domain::time::{Span, Timestamp};
use serde_json::json;

/// How simulated time is cut.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stride {
    /// Everything due within one tick happens at its end.
    pub tick: Span,
    /// A step is never longer: the gateway's own deadlines may have told crews something meanwhile.
    pub max: Span,
}

/// See the module.
pub(crate) struct Lockstep<T, S> {
    pub ports: GatewayPorts,
    pub transport: T,
    pub scene: S,
    pub crews: Crews,
    pub notes: Notes,
    pub starts_at: Timestamp,
    pub now: Timestamp,
    /// No step goes beyond.
    pub ends_at: Option<Timestamp>,
    pub stride: Stride,
    /// Messages sent; one that is sent again with DUP counts twice.
    pub sent: u64,
}

impl<T: Transport, S: Scene> Lockstep<T, S> {
    /// Brings every crew's phone onto the network.
    pub(crate) async fn muster(&mut self) -> Result<(), TwinError> {
        let crews: Vec<CrewId> = self.crews.ids().cloned().collect();
        for crew in &crews {
            self.transport.connect_crew(crew).await?;
        }
        (self.ports.settled)().await;
        Ok(())
    }

    /// Goes one step on; false when the end is reached.
    pub(crate) async fn step(&mut self) -> Result<bool, TwinError> {
        let Some(at) = self.next_moment() else { return Ok(false) };
        self.now = at;
        (self.ports.advance)(at).await;
        (self.ports.settled)().await;
        self.listen()?;
        self.send_what_is_due().await?;
        (self.ports.settled)().await;
        self.listen()?;
        Ok(true)
    }

    /// The end of the tick in which something happens next, and not beyond the end or the longest step.
    fn next_moment(&self) -> Option<Timestamp> {
        if self.ends_at.is_some_and(|end| self.now >= end) {
            return None;
        }
        let scene = self.scene.next_at();
        if self.ends_at.is_none() && scene.is_none() && self.crews.next_at().is_none() {
            return None;
        }
        let due = [scene, self.crews.next_at()].into_iter().flatten().min();
        let longest = self.now + self.stride.max;
        let next = due.map_or(longest, |due| self.end_of_tick(due)).min(longest).max(self.now + self.stride.tick);
        Some(self.ends_at.map_or(next, |end| next.min(end)))
    }

    fn end_of_tick(&self, at: Timestamp) -> Timestamp {
        let tick = self.stride.tick.as_micros();
        let past = at.since(self.starts_at).as_micros();
        self.starts_at + Span::from_micros((past + tick - 1).div_euclid(tick) * tick)
    }

    /// Phones first, so that a crew that comes back into reach answers within the same step.
    async fn send_what_is_due(&mut self) -> Result<(), TwinError> {
        let mut outbox = Outbox::default();
        for act in self.crews.act(self.now, &mut self.notes) {
            match act {
                Act::LoseSignal { crew } => self.transport.lose_crew(&crew),
                Act::RegainSignal { crew } => self.transport.connect_crew(&crew).await?,
                Act::Done { crew: _, work } => self.scene.served(self.now, &work),
                Act::Reply { crew, task, answer } => {
                    let mut reply = json!({ "task": task.0, "answer": answer.as_str() });
                    if let super::crews::Answer::Rejected(reason) = answer {
                        reply["reason"] = reason.as_str().into();
                    }
                    outbox.put(crew_line(&crew), Message::json(format!("rettidig/v1/crew/{crew}/replies"), &reply));
                }
            }
        }
        self.scene.live(self.now, &mut outbox, &mut self.notes);
        for (line, batch) in outbox.take() {
            self.sent += batch.iter().map(|message| 1 + u64::from(message.again_with_dup)).sum::<u64>();
            self.transport.send(&line, batch).await?;
        }
        Ok(())
    }

    /// Crews look at their phones, in the order of their names and of what was sent to them.
    fn listen(&mut self) -> Result<(), TwinError> {
        let mut heard = self.transport.heard()?;
        heard.sort_by(|a, b| a.crew.cmp(&b.crew));
        for message in heard {
            let offer = self.crews.hear(self.now, &message.crew, &message.payload).map_err(TwinError::NotUnderstood)?;
            let Some(offer) = offer else { continue };
            let Offer { crew, task, work } = offer;
            let place = self.scene.called(&work.asset);
            self.notes.say(self.now, format!("task {task} offered to {crew}: {} at {place}", work.kind));
            self.scene.offered(task, &work);
        }
        Ok(())
    }
}
