// The gateway's board, as this screen knows it: what the stream says becomes rows in the order a person needs.
// Nothing here touches the network or the page; the same events in the same order give the same board.

import { Sorted } from "./sorted";
import type { Alarm, Counts, Ledger, Quarantined, Store, StreamEvent, Task } from "./wire";

/** As many as the gateway keeps for screens. */
const QUARANTINE_MAX = 100;

export class Board {
  readonly alarms = new Sorted<Alarm>(alarmOrder);
  readonly tasks = new Sorted<Task>(taskOrder);
  readonly devicesSilent = new Set<string>();
  /** Newest first. */
  quarantine: Quarantined[] = [];
  counts: Counts = { alarms_open: [0, 0, 0, 0], alarms_unacknowledged: 0, tasks_open: 0, devices_silent: 0, quarantined: {} };
  ledger: Ledger = { received: 0, decided: 0, redacted: 0, quarantined: 0, duplicate: 0, refused: 0, in_flight: 0, balanced: true };
  store: Store = { behind: 0, late: false };
  /** Which journal the seq belongs to. */
  journal = "";
  /** When the last event was decided, by the gateway's clock. */
  at = "";
  /** The last event this board contains: what a broken stream resumes after. */
  seq = 0;
  private readonly taskOfAlarm = new Map<number, number>();

  /** The newest task that this alarm asked for. */
  taskOf(alarm: number): Task | undefined {
    const task = this.taskOfAlarm.get(alarm);
    return task === undefined ? undefined : this.tasks.get(task);
  }

  /** Takes rows in their latest form. */
  take(rows: { alarms: Alarm[]; tasks: Task[]; devices_silent: string[]; quarantine: Quarantined[] }): void {
    this.alarms.putAll(rows.alarms);
    this.tasks.putAll(rows.tasks);
    for (const task of rows.tasks) {
      if (task.id >= (this.taskOfAlarm.get(task.alarm) ?? 0)) this.taskOfAlarm.set(task.alarm, task.id);
    }
    rows.devices_silent.forEach((device) => this.devicesSilent.add(device));
    if (rows.quarantine.length > 0) {
      const newest = [...rows.quarantine].sort((a, b) => b.seq - a.seq);
      this.quarantine = [...newest, ...this.quarantine].slice(0, QUARANTINE_MAX);
    }
  }

  forget(gone: { alarms_gone: number[]; tasks_gone: number[]; devices_heard: string[] }): void {
    for (const id of gone.tasks_gone) {
      const alarm = this.tasks.get(id)?.alarm;
      if (alarm !== undefined && this.taskOfAlarm.get(alarm) === id) this.taskOfAlarm.delete(alarm);
      this.tasks.remove(id);
    }
    gone.alarms_gone.forEach((id) => this.alarms.remove(id));
    gone.devices_heard.forEach((device) => this.devicesSilent.delete(device));
  }
}

/**
 * Follows a stream. The board on screen is replaced only when a reset is complete, so that nobody looks at half of
 * one; a stream that breaks off in between leaves the board as it was.
 */
export class Follower {
  board = new Board();
  private coming: Board | undefined;

  /** What to resume after; undefined asks for the whole. */
  get resume(): { seq: number; journal: string } | undefined {
    return this.board.journal === "" ? undefined : { seq: this.board.seq, journal: this.board.journal };
  }

  /** The connection is gone: a reset under way will be sent again from its start. */
  broken(): void {
    this.coming = undefined;
  }

  /** Takes in one event. Returns whether the board on screen has changed. */
  apply(event: StreamEvent): boolean {
    switch (event.name) {
      case "reset": {
        const { data } = event;
        if (data.part === 1) this.coming = new Board();
        if (this.coming === undefined) return false;
        this.coming.take(data);
        if (data.part < data.parts) return false;
        Object.assign(this.coming, { journal: data.journal, seq: data.seq, at: data.at, counts: data.counts, ledger: data.ledger, store: data.store });
        this.board = this.coming;
        this.coming = undefined;
        return true;
      }
      case "changes": {
        const { data } = event;
        this.board.take(data);
        this.board.forget(data);
        Object.assign(this.board, { seq: data.seq, at: data.at, counts: data.counts, ledger: data.ledger, store: data.store });
        return true;
      }
      case "numbers":
        Object.assign(this.board, { counts: event.data.counts, ledger: event.data.ledger, store: event.data.store });
        return true;
      case "signed-out":
        return false;
    }
  }
}

/** Open before closed, urgent before less urgent, unseen before seen, newest first. */
function alarmOrder(a: Alarm, b: Alarm): number {
  return (
    Number(a.closed_at !== undefined) - Number(b.closed_at !== undefined) ||
    a.priority - b.priority ||
    Number(a.acknowledged) - Number(b.acknowledged) ||
    newestFirst(a.raised_at, b.raised_at) ||
    b.id - a.id
  );
}

/** Open before ended, urgent before less urgent, newest first. */
function taskOrder(a: Task, b: Task): number {
  return (
    Number(a.ended_at !== undefined) - Number(b.ended_at !== undefined) ||
    a.priority - b.priority ||
    newestFirst(a.requested_at, b.requested_at) ||
    b.id - a.id
  );
}

function newestFirst(a: string, b: string): number {
  return Date.parse(b) - Date.parse(a);
}
