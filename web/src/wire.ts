// The JSON forms of /api/v1, as `src/console/wire.rs` writes them. Times are RFC 3339 in UTC.

export type Priority = 1 | 2 | 3 | 4;

export interface Alarm {
  id: number;
  rule: string;
  asset: string;
  priority: Priority;
  /** The condition holds. */
  active: boolean;
  /** A person has seen it. */
  acknowledged: boolean;
  raised_at: string;
  observed_at: string;
  caused_by: number;
  device?: string;
  exercise: boolean;
  /** How old the value was when it came, of an alarm about something that was over by then. */
  late_seconds?: number;
  normal_at?: string;
  acknowledged_at?: string;
  /** `account:…` or `crew:…` */
  acknowledged_by?: string;
  closed_at?: string;
}

export interface Task {
  id: number;
  alarm: number;
  asset: string;
  kind: string;
  skill: string;
  priority: Priority;
  status: string;
  stage?: string;
  crew?: string;
  offer_expires_at?: string;
  requested_at: string;
  changed_at: string;
  rejected?: string;
  cancelled?: string;
  ended_at?: string;
  exercise: boolean;
}

/** A text in both languages of the house. */
export interface Text {
  en: string;
  da: string;
}

export interface Rule {
  id: string;
  owner: string;
  respond_within_s: number;
  cause: Text;
  consequence: Text;
  response: Text;
}

/** Why an alarm stands at this moment. */
export interface Why {
  rule: string;
  rule_version?: string;
  asset: string;
  sentence: Text;
  /** The newest values that the rule reads; none of those about a person. */
  values: { property: string; value: Text; observed_at: string }[];
  personal: boolean;
}

export interface Quarantined {
  seq: number;
  reason: string;
  detail: string;
  topic: string;
  device?: string;
  received_at: string;
  /** Empty when it is about a person. */
  head_base64: string;
  personal: boolean;
  length: number;
}

export interface Counts {
  /** By priority, 1 first. */
  alarms_open: [number, number, number, number];
  alarms_unacknowledged: number;
  tasks_open: number;
  devices_silent: number;
  quarantined: Record<string, number>;
}

export interface Ledger {
  received: number;
  decided: number;
  redacted: number;
  quarantined: number;
  duplicate: number;
  refused: number;
  in_flight: number;
  balanced: boolean;
}

/** How far history is behind the present. */
export interface Store {
  /** Entries that history does not hold yet. */
  behind: number;
  /** More than what is merely on its way. */
  late: boolean;
}

export interface Numbers {
  counts: Counts;
  ledger: Ledger;
  store: Store;
}

/** A piece of the whole: part 1 starts afresh, the last part is live. */
export interface Reset extends Numbers {
  journal: string;
  seq: number;
  at: string;
  part: number;
  parts: number;
  alarms: Alarm[];
  tasks: Task[];
  devices_silent: string[];
  quarantine: Quarantined[];
}

/** Rows in their latest form, and ids that left. */
export interface Changes extends Numbers {
  seq: number;
  at: string;
  alarms: Alarm[];
  alarms_gone: number[];
  tasks: Task[];
  tasks_gone: number[];
  devices_silent: string[];
  devices_heard: string[];
  quarantine: Quarantined[];
}

export type StreamEvent =
  | { name: "reset"; data: Reset }
  | { name: "changes"; data: Changes }
  | { name: "numbers"; data: Numbers }
  | { name: "signed-out" };

export interface Me {
  account: string | null;
  roles: string[];
  may_change: boolean;
  simulated: boolean;
  expires_at?: string;
}

export interface Done {
  seq: number;
  verdict: "accepted" | "duplicate";
  of?: number;
}

export interface Problem {
  code: string;
  title: string;
  status: number;
  detail?: string;
  seq?: number;
}
