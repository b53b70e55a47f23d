// The page in a real browser against the real gateway: a simulated municipality, and a first start.
// `RETTIDIG_BINARY` names the program; without it the one that `cargo build` left.

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import axe from "axe-core";
import { done, open, run } from "./browser.mjs";

const built = (profile) => fileURLToPath(new URL(`../../target/${profile}/rettidig`, import.meta.url));
const binary = process.env["RETTIDIG_BINARY"] ?? [built("debug"), built("release")].find(existsSync);
if (binary === undefined || !existsSync(binary)) {
  process.stderr.write(`e2e: ${binary ?? built("debug")} is missing: cargo build\n`);
  process.exit(1);
}
/** A gateway needs this long at most to say or show something, also on a busy machine. */
const PATIENCE = { timeout: 30_000 };
const running = new Set();
process.on("exit", () => running.forEach((child) => child.kill("SIGKILL")));

/** Starts the program and waits until its words hold every one of `wanted`. */
async function start(args, wanted, environment = {}) {
  const child = spawn(binary, args, { stdio: ["ignore", "ignore", "pipe"], env: { ...process.env, ...environment } });
  running.add(child);
  child.ended = new Promise((resolve) => child.once("exit", () => resolve(running.delete(child))));
  const said = [];
  const found = await new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`${args[0]} did not say ${wanted}:\n${said.join("\n")}`)), PATIENCE.timeout);
    child.once("exit", () => reject(new Error(`${args[0]} ended:\n${said.join("\n")}`)));
    createInterface({ input: child.stderr }).on("line", (line) => {
      said.push(line);
      const matches = wanted.map((pattern) => pattern.exec(said.join("\n")));
      if (!matches.every(Boolean)) return;
      clearTimeout(late);
      resolve(matches.map((match) => match[1]));
    });
  });
  return { child, found };
}

async function stop(child, signal) {
  child.kill(signal);
  await child.ended;
}

async function signIn(page, account, password) {
  await page.getByLabel("Konto").fill(account);
  await page.getByLabel("Adgangskode").fill(password);
  await page.keyboard.press("Enter");
  await page.getByText("Live", { exact: true }).waitFor(PATIENCE);
}

/** Whoever signs in is told of nothing that axe finds serious. */
async function accessible(page) {
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate(() => globalThis.axe.run());
  const serious = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
  const told = serious.map(({ id, help, nodes }) => ({ id, help, nodes: nodes.slice(0, 3).map((node) => node.html) }));
  assert.deepEqual(told, []);
}

/** Acknowledges an alarm that came after `last`. Crews may be faster: then the next one is tried. */
async function acknowledgeLater(page, last) {
  const until = Date.now() + 2 * PATIENCE.timeout;
  while (Date.now() < until) {
    const buttons = page.getByRole("button", { name: /^Kvittér alarm \d+ på/ });
    for (const name of await buttons.evaluateAll((all) => all.map((button) => button.ariaLabel))) {
      const alarm = Number(/\d+/.exec(name)[0]);
      if (alarm <= last) continue;
      const row = page.locator("#alarms > ul > li").filter({ hasText: new RegExp(`Alarm ${alarm}\\b`) });
      await page.getByRole("button", { name, exact: true }).click({ timeout: 1_000 }).catch(() => undefined);
      const said = page.getByRole("status").filter({ hasText: new RegExp(`^Alarm ${alarm} er kvitteret \\(hændelse \\d+\\)\\.`) });
      if (!(await said.waitFor({ timeout: 2_000 }).then(() => true, () => false))) continue;
      await page.getByLabel("Vis lukkede").check();
      await row.getByText("Kvitteret af demo").waitFor(PATIENCE);
      return;
    }
    await page.waitForTimeout(100);
  }
  throw new Error(`no alarm after ${last} could be acknowledged`);
}

/** Opens why an alarm stands. Crews may settle it first: then the next one is asked. */
async function tellsWhy(page) {
  const until = Date.now() + 2 * PATIENCE.timeout;
  while (Date.now() < until) {
    await page.getByText("Hvorfor?").first().click({ timeout: 1_000 }).catch(() => undefined);
    const told = page.locator("#alarms details[open] p").filter({ hasText: /^(udløst|udløser ikke|ikke udløst): / });
    if (await told.first().waitFor({ timeout: 2_000 }).then(() => true, () => false)) return;
    await page.waitForTimeout(100);
  }
  throw new Error("no alarm told why it stands");
}

async function lastAlarm(page) {
  const rows = await page.locator("#alarms > ul > li").allInnerTexts();
  return Math.max(0, ...rows.map((text) => Number(/Alarm (\d+)/.exec(text)[1])));
}

await run({
  async "a simulated municipality is watched, answered and never mistaken for a real one"() {
    const demo = await start(["demo", "--speed", "120", "--for", "300s"], [/page: (\S+)/, /login: demo +(\S+)/]);
    const [url, password] = demo.found;
    const page = await open(url);
    await accessible(page);
    await signIn(page, "demo", password);
    await page.getByText("Simuleret").waitFor();
    await page.getByText("= Stemmer", { exact: true }).waitFor(PATIENCE);
    const received = page.locator("dl.ledger dd").first();
    await page.waitForFunction((cell) => Number(cell.textContent.replace(/\D/g, "")) > 0, await received.elementHandle(), PATIENCE);

    await tellsWhy(page);
    await acknowledgeLater(page, await lastAlarm(page));
    await accessible(page);
    await page.getByRole("button", { name: "Mørkt tema" }).click();
    await accessible(page);

    // The gateway stands still as a machine under water does; the screen says so, and goes on where it was.
    const resumed = page.waitForRequest((request) => "last-event-id" in request.headers(), PATIENCE);
    demo.child.kill("SIGSTOP");
    await page.getByText(/Ikke live siden kl\. \d\d\.\d\d\.\d\d/).waitFor(PATIENCE);
    const headers = (await resumed).headers();
    demo.child.kill("SIGCONT");
    await page.getByText("Live", { exact: true }).waitFor(PATIENCE);
    assert.ok(Number(headers["last-event-id"]) > 0);

    await page.getByRole("button", { name: "Log ud" }).click();
    await page.getByLabel("Konto").waitFor(PATIENCE);
    assert.equal(await page.evaluate(async () => (await fetch("/api/v1/stream")).status), 401);
    await done(page);
    await stop(demo.child, "SIGINT");
  },

  async "a first start makes one account, and a killed gateway comes back to the same screen, without its database"() {
    const folder = mkdtempSync(join(tmpdir(), "rettidig-e2e-"));
    const config = join(folder, "config");
    assert.equal(spawnSync(binary, ["init", config]).status, 0);
    const environment = {
      RETTIDIG__DATA__FOLDER: join(folder, "data"),
      RETTIDIG__ENDPOINT__LISTEN: "127.0.0.1:0",
      RETTIDIG__HTTP__LISTEN: "127.0.0.1:0",
      // Nobody listens there.
      RETTIDIG__STORE__URL: "postgres://rettidig@127.0.0.1:1/rettidig",
    };
    const link = /(http:\/\/localhost:\d+\/first-start#\S+)/;
    const first = await start(["run", "--config", config], [link], environment);
    const { origin, port, pathname, hash } = new URL(first.found[0]);
    const page = await open(origin, { path: pathname + hash });
    await accessible(page);
    await page.getByLabel("Konto").fill("chef");
    await page.getByLabel("Adgangskode", { exact: false }).first().fill("en lang sætning her");
    await page.getByLabel("Gentag adgangskoden").fill("en lang sætning her");
    await page.getByRole("button", { name: "Opret konto" }).click();
    await page.getByText("Live", { exact: true }).waitFor(PATIENCE);
    assert.equal(page.url(), `${origin}/`);
    assert.equal(await page.getByText("Simuleret").count(), 0);
    await page.getByText(/^Historik bagud: \d+$/).waitFor(PATIENCE);
    await accessible(page);

    await stop(first.child, "SIGKILL");
    await page.getByText(/Ikke live siden kl\. /).waitFor(PATIENCE);
    const again = await start(["run", "--config", config], [/(recovered)/], { ...environment, RETTIDIG__HTTP__LISTEN: `127.0.0.1:${port}` });
    await page.getByText("Live", { exact: true }).waitFor(PATIENCE);
    await done(page);

    const late = await open(origin, { path: pathname + hash });
    await late.getByLabel("Konto").fill("anden");
    await late.getByLabel("Adgangskode", { exact: false }).first().fill("en anden sætning her");
    await late.getByLabel("Gentag adgangskoden").fill("en anden sætning her");
    await late.getByRole("button", { name: "Opret konto" }).click();
    await late.getByText(/^Linket er forkert, brugt eller for gammelt\./).waitFor(PATIENCE);
    await done(late);
    await stop(again.child, "SIGTERM");
    rmSync(folder, { recursive: true });
  },
});
