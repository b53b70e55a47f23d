// A stand-in for the gateway: serves web/dist and just enough of /api/v1 to try the page in a real browser.
// It sends the same content policy as the gateway does, so that what the policy forbids fails here too.

import { createReadStream, existsSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";

const DIST = fileURLToPath(new URL("../dist/", import.meta.url));
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; " +
  "connect-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
const TYPES = { ".html": "text/html; charset=utf-8", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml" };
const JOURNAL = "07".repeat(16);

/** Starts a gateway that is none; port 0 picks a free one. */
export async function fakeGateway({ port = 0, signedIn = false, simulated = true, now = new Date() } = {}) {
  const state = { me: signedIn ? "anna" : null, seq: 4_711, streams: new Set(), requests: [], ...invented(now) };
  const server = createServer((request, response) => void answer(state, simulated, request, response));
  await new Promise((resolve) => server.listen(port, "127.0.0.1", resolve));
  const heartbeat = setInterval(() => state.streams.forEach((stream) => state.silent || stream.write(": alive\n\n")), 500);
  return {
    state,
    url: `http://127.0.0.1:${server.address().port}`,
    /** Publishes rows in their latest form. */
    publish(rows) {
      state.seq += 1;
      for (const alarm of rows.alarms ?? []) state.alarms.set(alarm.id, alarm);
      for (const task of rows.tasks ?? []) state.tasks.set(task.id, task);
      const changes = { ...nothing, ...rows, seq: state.seq, at: now.toISOString(), ...numbers(state) };
      state.streams.forEach((stream) => send(stream, "changes", changes, state.seq));
    },
    /** Tells numbers alone, as the gateway does when nothing else has changed. */
    count() {
      state.streams.forEach((stream) => stream.write(`event: numbers\ndata: ${JSON.stringify(numbers(state))}\n\n`));
    },
    /** Breaks every stream off, as a restart would. */
    breakOff() {
      state.streams.forEach((stream) => stream.destroy());
    },
    async stop() {
      clearInterval(heartbeat);
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const nothing = { alarms: [], alarms_gone: [], tasks: [], tasks_gone: [], devices_silent: [], devices_heard: [], quarantine: [] };

async function answer(state, simulated, request, response) {
  const { pathname } = new URL(request.url, "http://x");
  state.requests.push({ method: request.method, path: pathname, headers: request.headers });
  response.setHeader("content-security-policy", POLICY);
  const json = (status, body) => response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
  const problem = (status, code) => json(status, { code, status, title: code, type: `urn:rettidig:problem:${code}` });
  const me = () => ({ account: state.me, roles: state.me ? ["operator"] : [], may_change: state.me === "anna", simulated });
  if (state.down) return request.socket.destroy();
  if (pathname === "/api/v1/session" && request.method === "GET") return json(200, me());
  if (pathname === "/api/v1/session" && request.method === "POST") {
    const { account, password } = await body(request);
    if (password !== "god adgangskode") return problem(401, "wrong_sign_in");
    state.me = account;
    return json(200, me());
  }
  if (pathname === "/api/v1/session") {
    state.me = null;
    return response.writeHead(204).end();
  }
  if (pathname === "/api/v1/first-start") {
    const { token, account } = await body(request);
    if (token !== "engangslink") return problem(403, "first_start_link");
    state.me = account;
    return json(201, me());
  }
  if (pathname.startsWith("/api/")) {
    if (state.me === null) return problem(401, "signed_out");
    if (pathname === "/api/v1/stream") return stream(state, request, response);
    if (pathname === "/api/v1/rules") return json(200, { rules });
    const [, alarm] = /^\/api\/v1\/alarms\/(\d+)\/acknowledge$/.exec(pathname) ?? [];
    if (alarm !== undefined) return acknowledge(state, Number(alarm), json, problem);
    const [, standing] = /^\/api\/v1\/alarms\/(\d+)\/why$/.exec(pathname) ?? [];
    if (state.alarms.has(Number(standing))) return json(200, why(state.alarms.get(Number(standing))));
    return problem(404, "not_found");
  }
  const path = pathname === "/" || pathname === "/first-start" ? "index.html" : normalize(pathname).replace(/^\/+/, "");
  const file = join(DIST, path);
  if (!file.startsWith(DIST) || !existsSync(file)) return problem(404, "not_found");
  response.writeHead(200, { "content-type": TYPES[extname(file)] ?? "application/octet-stream" });
  createReadStream(file).pipe(response);
}

function why({ rule, asset }) {
  return {
    rule,
    rule_version: "00c0ffee12345678",
    asset,
    sentence: { en: "fired: temperature was 71 °C, at least 60 °C", da: "udløst: temperature var 71 °C, mindst 60 °C" },
    values: [{ property: "temperature", value: { en: "71.5 °C", da: "71,5 °C" }, observed_at: new Date().toISOString() }],
    personal: false,
  };
}

function stream(state, request, response) {
  response.writeHead(200, { "content-type": "text/event-stream" });
  const last = Number(request.headers["last-event-id"] ?? Number.NaN);
  if (last !== state.seq) {
    const rows = { alarms: [...state.alarms.values()], tasks: [...state.tasks.values()], devices_silent: state.devicesSilent, quarantine: state.quarantine };
    send(response, "reset", { journal: JOURNAL, seq: state.seq, at: new Date().toISOString(), part: 1, parts: 1, ...rows, ...numbers(state) }, state.seq);
  } else response.write(": alive\n\n");
  state.streams.add(response);
  response.on("close", () => state.streams.delete(response));
}

function acknowledge(state, id, json, problem) {
  const alarm = state.alarms.get(id);
  if (alarm === undefined) return problem(404, "unknown_alarm");
  if (alarm.acknowledged) return problem(409, "already_acknowledged");
  state.seq += 1;
  const seen = { ...alarm, acknowledged: true, acknowledged_at: new Date().toISOString(), acknowledged_by: `account:${state.me}` };
  state.alarms.set(id, seen);
  json(200, { seq: state.seq, verdict: "accepted" });
  state.streams.forEach((one) => send(one, "changes", { ...nothing, alarms: [seen], seq: state.seq, at: new Date().toISOString(), ...numbers(state) }, state.seq));
}

function send(response, name, data, id) {
  response.write(`event: ${name}\nid: ${id}\ndata: ${JSON.stringify(data)}\n\n`);
}

async function body(request) {
  let text = "";
  for await (const piece of request) text += piece;
  return JSON.parse(text);
}

function numbers({ alarms, tasks, devicesSilent, store }) {
  const open = [...alarms.values()].filter((alarm) => alarm.closed_at === undefined);
  return {
    counts: {
      alarms_open: [1, 2, 3, 4].map((rank) => open.filter((alarm) => alarm.priority === rank).length),
      alarms_unacknowledged: open.filter((alarm) => !alarm.acknowledged).length,
      tasks_open: [...tasks.values()].filter((task) => task.ended_at === undefined).length,
      devices_silent: devicesSilent.length,
      quarantined: { unparsable: 41, unknown_device: 12, out_of_range: 7, oversize: 2, cpr_number: 0 },
    },
    ledger: { received: 128_402, decided: 126_880, redacted: 24, quarantined: 62, duplicate: 1_425, refused: 7, in_flight: 4, balanced: true },
    store: store ?? { behind: 0, late: false },
  };
}

const text = (da, en) => ({ da, en });
const rules = [
  {
    id: "call-for-help",
    owner: "care-operations",
    respond_within_s: 300,
    cause: text("Personen i denne seng har trykket på hjælpeknappen.", "The person in this bed has pressed the help button."),
    consequence: text("En, der har bedt om hjælp, venter alene.", "Somebody who asked for help waits alone."),
    response: text("Gå hen til personen med det samme.", "Go to the person at once."),
  },
  {
    id: "bin-fire",
    owner: "waste-operations",
    respond_within_s: 60,
    cause: text("Der er 60 °C eller varmere i spanden: Den kan være i brand.", "It is 60 °C or hotter inside the bin: it may be on fire."),
    consequence: text("Ilden breder sig.", "The fire spreads."),
    response: text("Ring 112, hvis der er røg eller ild.", "Call 112 if there is smoke or fire."),
  },
];

/** A quarter of an hour in an invented municipality. */
function invented(now) {
  const ago = (seconds) => new Date(now.getTime() - seconds * 1_000).toISOString();
  const alarms = new Map();
  const tasks = new Map();
  const raise = (id, priority, asset, rule, seconds, more = {}) =>
    alarms.set(id, { id, rule, asset, priority, active: true, acknowledged: false, raised_at: ago(seconds), observed_at: ago(seconds + 4), caused_by: 4_000 + id, device: `${asset}-s1`, exercise: false, ...more });
  const ask = (id, alarm, kind, skill, seconds, more = {}) => {
    const { asset, priority } = alarms.get(alarm);
    tasks.set(id, { id, alarm, asset, kind, skill, priority, status: "requested", stage: "offered", requested_at: ago(seconds), changed_at: ago(seconds - 20), exercise: false, ...more });
  };
  raise(912, 1, "seng-lindebo-07", "call-for-help", 38);
  raise(911, 1, "beholder-havnegade-3", "bin-fire", 190, { acknowledged: true, acknowledged_by: "crew:renovation-nord" });
  raise(907, 2, "seng-lindebo-12", "position-overdue", 410);
  raise(905, 2, "seng-solbakken-03", "position-overdue", 620, { acknowledged: true, acknowledged_by: "account:birgitte", active: false });
  raise(901, 3, "beholder-torvet-1-restaffald", "bin-full-before-next-round", 1_240);
  raise(899, 3, "beholder-skolevej-14-madaffald", "bin-full-before-next-round", 1_900, { acknowledged: true, acknowledged_by: "account:anna" });
  raise(895, 3, "beholder-strandpromenaden-22-mad-og-drikkekartoner", "bin-tilted", 2_650, { exercise: true });
  raise(880, 4, "beholder-noerregade-5-pap", "battery-low", 90_000, { late_seconds: 11_000 });
  raise(871, 4, "beholder-noerregade-9-glas", "device-silent", 93_000, { device: undefined });
  raise(870, 3, "beholder-algade-2-plast", "bin-full-before-next-round", 5_000, { active: false, acknowledged: true, closed_at: ago(800) });
  ask(455, 912, "answer-call", "care", 37, { crew: "pleje-lindebo", offer_expires_at: ago(-22) });
  ask(454, 911, "check-bin", "waste", 188, { crew: "renovation-nord", status: "in-progress", stage: "en-route" });
  ask(451, 907, "turn-person", "care", 405, { stage: "waiting" });
  ask(450, 905, "turn-person", "care", 600, { crew: "pleje-solbakken", status: "in-progress", stage: "on-site" });
  ask(448, 901, "empty-bin", "waste", 1_239, { crew: "renovation-midt", offer_expires_at: ago(-300) });
  ask(447, 899, "empty-bin", "waste", 1_890, { crew: "renovation-midt", status: "accepted", stage: undefined });
  ask(446, 895, "check-bin", "waste", 2_640, { crew: "renovation-syd", status: "requested", stage: "waiting", rejected: "busy", exercise: true });
  ask(430, 870, "empty-bin", "waste", 4_900, { crew: "renovation-nord", status: "completed", stage: "verified", ended_at: ago(900) });
  const quarantine = [
    { seq: 4_705, reason: "unparsable", detail: "expected `,` or `}` at line 1 column 14", topic: "rettidig/v1/up/beholder-algade-2-s1", device: "beholder-algade-2-s1", received_at: ago(44), head_base64: "", personal: false, length: 38 },
    { seq: 4_690, reason: "unknown_device", detail: "device \"24e124713d493245\" is not in the registry", topic: "application/7/device/24e124713d493245/event/up", received_at: ago(300), head_base64: "", personal: false, length: 412 },
    { seq: 4_502, reason: "out_of_range", detail: "temperature 412.0 is above 125", topic: "rettidig/v1/up/beholder-torvet-1-s1", device: "beholder-torvet-1-s1", received_at: ago(1_500), head_base64: "", personal: false, length: 61 },
  ];
  return { alarms, tasks, quarantine, devicesSilent: ["beholder-noerregade-9-s1", "seng-solbakken-08-s1"] };
}
