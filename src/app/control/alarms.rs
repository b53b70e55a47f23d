//! Alarms and tasks: what is open, and the two changes a person makes from the command line.

use super::backend::Backend;
use super::wire::{AlarmRow, Failure, FailureKind, Response, TaskRow, written};
use crate::app::foundation::random_bytes;
use crate::domain::alarm::Alarm;
use crate::domain::event::{Command, CommandKind, Event};
use crate::domain::ids::{AccountId, AlarmId, CommandId, TaskId};
use crate::domain::reason::Verdict;
use crate::domain::task::Task;

/// In the journal: whoever may use the data folder. Which person that was, only the machine's own log knows.
pub(super) const ACCOUNT: &str = "command-line";

pub(super) async fn list_alarms(backend: &mut Backend) -> Result<Response, Failure> {
    let row = |alarm: &Alarm| AlarmRow {
        alarm: alarm.id.0,
        priority: alarm.priority.number(),
        rule: alarm.rule.to_string(),
        asset: alarm.asset.to_string(),
        active: alarm.active,
        acknowledged: alarm.acknowledged,
        raised_at: written(alarm.raised_at),
        exercise: alarm.cause.exercise,
    };
    let mut alarms: Vec<_> = backend.look(move |engine| engine.alarms().map(row).collect()).await?;
    alarms.sort_by_key(|row: &AlarmRow| (row.priority, row.alarm));
    Ok(Response::Alarms { alarms })
}

pub(super) async fn list_tasks(backend: &mut Backend) -> Result<Response, Failure> {
    let row = |task: &Task| TaskRow {
        task: task.id.0,
        alarm: task.alarm.0,
        priority: task.priority.number(),
        kind: task.kind.to_string(),
        asset: task.asset.to_string(),
        status: task.status.as_str().to_owned(),
        stage: task.stage.map(|stage| stage.as_str().to_owned()),
        crew: task.crew.as_ref().map(ToString::to_string),
        requested_at: written(task.requested_at),
        exercise: task.exercise,
    };
    let open = move |task: &&Task| !task.status.ended();
    let mut tasks: Vec<_> = backend.look(move |engine| engine.tasks().filter(open).map(row).collect()).await?;
    tasks.sort_by_key(|row: &TaskRow| (row.priority, row.task));
    Ok(Response::Tasks { tasks })
}

pub(super) async fn acknowledge(backend: &mut Backend, alarm: u64) -> Result<Response, Failure> {
    command(backend, CommandKind::AcknowledgeAlarm(AlarmId(alarm)), &format!("alarm {alarm} acknowledged")).await
}

pub(super) async fn cancel(backend: &mut Backend, task: u64) -> Result<Response, Failure> {
    command(backend, CommandKind::CancelTask(TaskId(task)), &format!("task {task} cancelled")).await
}

async fn command(backend: &mut Backend, kind: CommandKind, done: &str) -> Result<Response, Failure> {
    let number = random_bytes().map(u64::from_le_bytes).map_err(|error| Failure::failed(&error))?;
    let id = CommandId::new(format!("command-line-{number:016x}"));
    let answer = backend.decide(Event::Commanded(Command { id, account: AccountId::new(ACCOUNT), kind })).await?;
    match answer.verdict {
        Verdict::Accepted => Ok(Response::Done { text: done.to_owned(), seq: Some(answer.seq.0) }),
        Verdict::Refused(refusal) => Err(Failure::refused(format!("not done: {}", refusal.as_str().replace('_', " ")))),
        Verdict::Duplicate { .. } | Verdict::Redacted | Verdict::Quarantined(_) => {
            Err(Failure::new(FailureKind::Failed, format!("not done: {:?}", answer.verdict)))
        }
    }
}
