import { describe, expect, it } from "vitest";
import { Follower } from "./board";
import { Sorted } from "./sorted";
import type { Alarm, Changes, Counts, Ledger, Reset, Store, StreamEvent, Task } from "./wire";

const counts: Counts = { alarms_open: [0, 0, 0, 0], alarms_unacknowledged: 0, tasks_open: 0, devices_silent: 0, quarantined: {} };
const ledger: Ledger = { received: 0, decided: 0, redacted: 0, quarantined: 0, duplicate: 0, refused: 0, in_flight: 0, balanced: true };
const store: Store = { behind: 0, late: false };

function alarm(id: number, more: Partial<Alarm> = {}): Alarm {
  const at = `2026-03-01T10:00:${String(id % 60).padStart(2, "0")}Z`;
  return { id, rule: "bin-full", asset: `bin-${id}`, priority: 3, active: true, acknowledged: false, raised_at: at, observed_at: at, caused_by: 1, exercise: false, ...more };
}

function task(id: number, of: number, more: Partial<Task> = {}): Task {
  const at = "2026-03-01T10:00:00Z";
  return { id, alarm: of, asset: `bin-${of}`, kind: "empty-bin", skill: "waste", priority: 3, status: "requested", requested_at: at, changed_at: at, exercise: false, ...more };
}

function reset(seq: number, data: Partial<Reset> = {}): StreamEvent {
  return { name: "reset", data: { journal: "j1", seq, at: "", part: 1, parts: 1, alarms: [], tasks: [], devices_silent: [], quarantine: [], counts, ledger, store, ...data } };
}

function changes(seq: number, data: Partial<Changes> = {}): StreamEvent {
  return { name: "changes", data: { seq, at: "", alarms: [], alarms_gone: [], tasks: [], tasks_gone: [], devices_silent: [], devices_heard: [], quarantine: [], counts, ledger, store, ...data } };
}

function after(...events: StreamEvent[]): Follower {
  const follower = new Follower();
  events.forEach((event) => follower.apply(event));
  return follower;
}

const ids = (follower: Follower) => follower.board.alarms.rows.map((row) => row.id);

describe("the board on screen", () => {
  it("takes rows in their latest form and lets go of what left", () => {
    const follower = after(
      reset(10, { alarms: [alarm(1), alarm(2)], tasks: [task(5, 1)], devices_silent: ["a", "b"] }),
      changes(11, { alarms: [alarm(1, { acknowledged: true })], devices_heard: ["a"], devices_silent: ["c"] }),
      changes(12, { alarms_gone: [2], tasks: [task(6, 1)], tasks_gone: [5] }),
    );
    expect(ids(follower)).toEqual([1]);
    expect(follower.board.alarms.get(1)?.acknowledged).toBe(true);
    expect(follower.board.taskOf(1)?.id).toBe(6);
    expect([...follower.board.devicesSilent]).toEqual(["b", "c"]);
    expect(follower.resume).toEqual({ seq: 12, journal: "j1" });
  });

  it("puts open before closed, urgent before less urgent, unseen before seen, newest first", () => {
    const rows = [
      alarm(1, { priority: 1, closed_at: "2026-03-01T11:00:00Z" }),
      alarm(2, { priority: 4 }),
      alarm(3, { priority: 2, acknowledged: true }),
      alarm(4, { priority: 2 }),
      alarm(5, { priority: 2 }),
    ];
    expect(ids(after(reset(1, { alarms: rows })))).toEqual([5, 4, 3, 2, 1]);
    expect(ids(after(reset(1, { alarms: [...rows].reverse() })))).toEqual([5, 4, 3, 2, 1]);
  });

  it("keeps the newest quarantined messages only", () => {
    const row = (seq: number) => ({ seq, reason: "oversize", detail: "", topic: "t", received_at: "", head_base64: "", personal: false, length: 1 });
    const first = Array.from({ length: 100 }, (_, n) => row(n + 1));
    const follower = after(reset(100, { quarantine: first }), changes(102, { quarantine: [row(101), row(102)] }));
    expect(follower.board.quarantine.slice(0, 3).map((kept) => kept.seq)).toEqual([102, 101, 100]);
    expect(follower.board.quarantine).toHaveLength(100);
  });
});

describe("following a stream", () => {
  it("ends in the same board whether or not it broke off and resumed", () => {
    const start = reset(10, { alarms: [alarm(1), alarm(2)], tasks: [task(1, 1)] });
    const whole = after(
      start,
      changes(11, { alarms: [alarm(3)] }),
      changes(12, { alarms: [alarm(3, { acknowledged: true }), alarm(2, { closed_at: "2026-03-01T11:00:00Z" })] }),
      changes(13, { alarms_gone: [1], tasks_gone: [1] }),
    );
    // The gateway sends what was missed as one difference, rows in their latest form.
    const broken = after(start, changes(11, { alarms: [alarm(3)] }));
    broken.broken();
    broken.apply(changes(13, { alarms: [alarm(3, { acknowledged: true }), alarm(2, { closed_at: "2026-03-01T11:00:00Z" })], alarms_gone: [1], tasks_gone: [1] }));
    expect(broken.board.alarms.rows).toEqual(whole.board.alarms.rows);
    expect(broken.board.tasks.rows).toEqual(whole.board.tasks.rows);
    expect(broken.resume).toEqual(whole.resume);
  });

  it("shows the old board until a reset is whole", () => {
    const follower = after(reset(10, { alarms: [alarm(1)] }));
    expect(follower.apply(reset(20, { part: 1, parts: 2, alarms: [alarm(7)] }))).toBe(false);
    expect(ids(follower)).toEqual([1]);
    expect(follower.resume).toEqual({ seq: 10, journal: "j1" });
    expect(follower.apply(reset(20, { part: 2, parts: 2, alarms: [alarm(8)], journal: "j2" }))).toBe(true);
    expect(ids(follower)).toEqual([8, 7]);
    expect(follower.resume).toEqual({ seq: 20, journal: "j2" });
  });

  it("forgets half a reset when the stream breaks off in it", () => {
    const follower = after(reset(10, { alarms: [alarm(1)] }), reset(20, { part: 1, parts: 2, alarms: [alarm(7)] }));
    follower.broken();
    expect(follower.apply(reset(20, { part: 2, parts: 2, alarms: [alarm(8)] }))).toBe(false);
    expect(ids(follower)).toEqual([1]);
  });

  it("asks for the whole before it has seen anything", () => {
    expect(new Follower().resume).toBeUndefined();
  });

  it("takes numbers without moving the seq", () => {
    const follower = after(reset(10), { name: "numbers", data: { counts, ledger: { ...ledger, received: 7, balanced: false }, store: { behind: 9_000, late: true } } });
    expect(follower.board.ledger.received).toBe(7);
    expect(follower.board.store).toEqual({ behind: 9_000, late: true });
    expect(follower.resume?.seq).toBe(10);
  });
});

describe("rows kept in order", () => {
  it("stay in order whatever is put and removed", () => {
    const sorted = new Sorted<{ id: number; rank: number }>((a, b) => a.rank - b.rank || a.id - b.id);
    const model = new Map<number, { id: number; rank: number }>();
    let state = 12345;
    const random = (below: number) => (state = (state * 1103515245 + 12345) % 2147483648) % below;
    for (let step = 0; step < 3000; step += 1) {
      const id = random(80);
      if (random(4) === 0) {
        sorted.remove(id);
        model.delete(id);
      } else if (random(50) === 0) {
        const rows = Array.from({ length: 70 }, (_, n) => ({ id: n, rank: random(9) }));
        sorted.putAll(rows);
        rows.forEach((row) => model.set(row.id, row));
      } else {
        const row = { id, rank: random(9) };
        sorted.put(row);
        model.set(id, row);
      }
    }
    expect(sorted.rows).toEqual([...model.values()].sort((a, b) => a.rank - b.rank || a.id - b.id));
  });
});
