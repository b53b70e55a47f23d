// Calls to the gateway. A refusal is thrown as the problem the gateway sent, so that its code can be put into words.

import type { Done, Me, Problem, Rule, Why } from "./wire";

export class Refused extends Error {
  constructor(readonly problem: Problem) {
    super(problem.title);
  }
}

export function whoAmI(): Promise<Me> {
  return call("GET", "/session");
}

export function signIn(account: string, password: string): Promise<Me> {
  return call("POST", "/session", { body: { account, password } });
}

export function signOut(): Promise<void> {
  return call("DELETE", "/session");
}

export function firstStart(token: string, account: string, password: string): Promise<Me> {
  return call("POST", "/first-start", { body: { token, account, password } });
}

export function acknowledge(alarm: number): Promise<Done> {
  return call("POST", `/alarms/${alarm}/acknowledge`, { change: true });
}

export function cancelTask(task: number): Promise<Done> {
  return call("POST", `/tasks/${task}/cancel`, { change: true });
}

export async function rulesInForce(): Promise<Rule[]> {
  const { rules } = await call<{ rules: Rule[] }>("GET", "/rules");
  return rules;
}

export function why(alarm: number): Promise<Why> {
  return call("GET", `/alarms/${alarm}/why`);
}

async function call<T>(method: string, path: string, { body, change }: { body?: unknown; change?: boolean } = {}): Promise<T> {
  const headers: Record<string, string> = {};
  if (body !== undefined) headers["Content-Type"] = "application/json";
  // The same key on the repeat: whichever attempt arrives first is the one that counts.
  if (change) headers["Idempotency-Key"] = freshKey();
  const request: RequestInit = { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
  const send = () => fetch(`/api/v1${path}`, request);
  let response: Response;
  try {
    response = await send().catch((error: unknown) => (change ? send() : Promise.reject(error as Error)));
  } catch {
    throw new Refused({ code: "unreachable", title: "The gateway cannot be reached", status: 0 });
  }
  if (response.status === 204) return undefined as T;
  const answer: unknown = await response.json().catch(() => undefined);
  if (response.ok) return answer as T;
  throw new Refused((answer as Problem | undefined) ?? { code: "unavailable", title: response.statusText, status: response.status });
}

/** `crypto.randomUUID` is for https only; a console on plain localhost has it, an old browser may not. */
function freshKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
