// The page in a real browser against a stand-in that can be made to fail: what the real gateway cannot be asked for.
// `gateway.mjs` is the same page against the real one.
// `node e2e/console.mjs --pictures FOLDER` also takes pictures in both languages, both themes, two widths.

import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { done, open, run } from "./browser.mjs";
import { fakeGateway } from "./fake.mjs";

const pictures = process.argv[2] === "--pictures" ? process.argv[3] : undefined;
const checks = {
  async "signs in by keyboard, after a wrong password"() {
    const gateway = await fakeGateway();
    const page = await open(gateway.url);
    await page.getByLabel("Konto").fill("anna");
    await page.getByLabel("Adgangskode").fill("gættet");
    await page.keyboard.press("Enter");
    await page.getByRole("alert").filter({ hasText: "Konto eller adgangskode er forkert." }).waitFor();
    await page.getByLabel("Adgangskode").fill("god adgangskode");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Alarmer", exact: true }).waitFor();
    await page.getByRole("button", { name: "Log ud" }).click();
    await page.getByLabel("Konto").waitFor();
    await done(page);
    await gateway.stop();
  },

  async "the first start uses the link and hides it"() {
    const gateway = await fakeGateway();
    const page = await open(gateway.url, { path: "/first-start#engangslink" });
    await page.getByLabel("Konto").fill("chef");
    await page.getByLabel("Adgangskode", { exact: false }).first().fill("en lang sætning her");
    await page.getByLabel("Gentag adgangskoden").fill("en anden sætning");
    await page.getByRole("button", { name: "Opret konto" }).click();
    await page.getByText("De to adgangskoder er ikke ens.").waitFor();
    await page.getByLabel("Gentag adgangskoden").fill("en lang sætning her");
    await page.getByRole("button", { name: "Opret konto" }).click();
    await page.getByText("Du kan se, men ikke ændre.").waitFor();
    assert.equal(page.url(), `${gateway.url}/`);
    await done(page);
    await gateway.stop();
  },

  async "acknowledges by keyboard and shows the verdict with its seq"() {
    const gateway = await fakeGateway({ signedIn: true });
    const page = await open(gateway.url);
    const button = page.getByRole("button", { name: "Kvittér alarm 912 på seng-lindebo-07" });
    await button.focus();
    await page.keyboard.press("Enter");
    await page.getByText("Alarm 912 er kvitteret (hændelse 4712).").waitFor();
    await page.getByText("Kvitteret af anna").first().waitFor();
    await button.waitFor({ state: "detached" });
    const change = gateway.state.requests.find((request) => request.method === "POST");
    assert.match(change.headers["idempotency-key"], /^[0-9a-f]{32}$/);
    assert.equal(change.headers.origin, gateway.url);
    await done(page);
    await gateway.stop();
  },

  async "tells why an alarm stands, how late its value was, and that a settled one is told elsewhere"() {
    const gateway = await fakeGateway({ signedIn: true });
    const page = await open(gateway.url);
    const row = (alarm) => page.locator("#alarms > ul > li").filter({ hasText: new RegExp(`Alarm ${alarm}\\b`) });
    await row(880).getByText("3 t gammel, da den kom").waitFor();
    await row(880).getByText("Hvorfor?").click();
    await row(880).getByText("udløst: temperature var 71 °C, mindst 60 °C").waitFor();
    await row(880).getByText("temperature: 71,5 °C").waitFor();
    await row(880).getByText("Regel battery-low, version 12345678").waitFor();
    gateway.state.alarms.delete(871);
    await row(871).getByText("Hvorfor?").click();
    await row(871).getByText(/^Alarmen er afsluttet/).waitFor();
    await page.getByRole("button", { name: "English" }).click();
    await row(880).getByText("temperature: 71.5 °C").waitFor();
    await row(880).getByText("3 h old when it came").waitFor();
    await done(page);
    await gateway.stop();
  },

  async "says what an alarm means and what to do, in both languages; a rule without words is named"() {
    const gateway = await fakeGateway({ signedIn: true });
    const page = await open(gateway.url);
    const row = page.locator("#alarms > ul > li").filter({ hasText: "Alarm 912" });
    await row.getByText("Personen i denne seng har trykket på hjælpeknappen.").waitFor();
    await row.getByText("Sådan gør du").click();
    await row.getByText("Gå hen til personen med det samme.").waitFor();
    await page.getByRole("button", { name: "English" }).click();
    await row.getByText("Go to the person at once.").waitFor();
    await page.locator("#alarms > ul > li").filter({ hasText: "Alarm 880" }).getByText("battery-low").waitFor();
    await page.getByPlaceholder("Asset, cause or rule").fill("60 °C");
    await page.locator("#alarms > ul > li").filter({ hasText: "beholder-havnegade-3" }).waitFor();
    assert.equal(await page.locator("#alarms > ul > li").count(), 1);
    const asked = gateway.state.requests.filter((request) => request.path === "/api/v1/rules");
    assert.equal(asked.length, 1);
    await done(page);
    await gateway.stop();
  },

  async "an ended task is shown as ended, in both lists, whatever stage it had reached"() {
    const gateway = await fakeGateway({ signedIn: true });
    const task = [...gateway.state.tasks.values()][0];
    const page = await open(gateway.url);
    const alarm = page.locator("#alarms > ul > li").filter({ hasText: `Opgave ${task.id}:` });
    gateway.publish({ tasks: [{ ...task, status: "in-progress", stage: "on-site" }] });
    await alarm.getByText("På stedet").waitFor();
    const ended = { ...task, status: "completed", stage: "on-site", ended_at: new Date().toISOString() };
    gateway.publish({ tasks: [ended] });
    await alarm.getByText("Udført").waitFor();
    assert.equal(await alarm.getByText("På stedet").count(), 0);
    await page.getByLabel("Vis afsluttede").check();
    const row = page.locator("section li").filter({ hasText: `Opgave ${task.id} fra alarm` });
    await row.getByText("Udført").waitFor();
    await done(page);
    await gateway.stop();
  },

  async "says since when it is not live, comes back and resumes"() {
    const gateway = await fakeGateway({ signedIn: true });
    const page = await open(gateway.url, { language: "en-GB" });
    await page.getByText("Live", { exact: true }).waitFor();
    const seq = gateway.state.seq;
    gateway.state.down = true;
    gateway.breakOff();
    await page.getByText(/Not live since \d\d:\d\d:\d\d/).waitFor({ timeout: 15_000 });
    gateway.state.down = false;
    await page.getByText("Live", { exact: true }).waitFor({ timeout: 15_000 });
    const resumed = gateway.state.requests.findLast((request) => request.path === "/api/v1/stream");
    assert.equal(resumed.headers["last-event-id"], String(seq));
    const alarm = { ...gateway.state.alarms.get(901), id: 990, asset: "bin-after-the-break" };
    gateway.publish({ alarms: [alarm] });
    await page.getByText("bin-after-the-break").waitFor();
    await done(page);
    await gateway.stop();
  },

  async "says that history is behind, how far, and that it has caught up, in both languages"() {
    const gateway = await fakeGateway({ signedIn: true });
    const page = await open(gateway.url);
    await page.getByText("Live", { exact: true }).waitFor();
    assert.equal(await page.getByText(/^Historik bagud/).count(), 0);
    for (const [behind, told] of [[9_000, "9.000"], [12_345, "12.345"]]) {
      gateway.state.store = { behind, late: true };
      gateway.count();
      await page.getByText(`Historik bagud: ${told}`, { exact: true }).waitFor();
    }
    await page.getByRole("status").filter({ hasText: /^Alarmer og opgaver er ajour\./ }).waitFor();
    await page.getByRole("button", { name: "English" }).click();
    await page.getByText("Store behind: 12,345", { exact: true }).waitFor();
    gateway.state.store = { behind: 3, late: false };
    gateway.publish({});
    await page.getByText(/^Store behind/).waitFor({ state: "detached" });
    await done(page);
    await gateway.stop();
  },

  async "follows 20,000 open alarms"() {
    const gateway = await fakeGateway({ signedIn: true });
    const like = gateway.state.alarms.get(901);
    for (let id = 10_000; id < 30_000; id += 1) gateway.state.alarms.set(id, { ...like, id, asset: `bin-${id}` });
    const page = await open(gateway.url);
    await page.getByRole("button", { name: /^Vis flere/ }).first().waitFor({ timeout: 20_000 });
    gateway.publish({ alarms: [{ ...like, id: 40_000, priority: 1, asset: "bin-urgent" }] });
    await page.getByText("bin-urgent").waitFor();
    assert.equal(await page.locator("#alarms > ul > li").count(), 100);
    await done(page);
    await gateway.stop();
  },
};

async function takePictures(folder) {
  mkdirSync(folder, { recursive: true });
  for (const language of ["da-DK", "en-GB"]) {
    for (const theme of ["light", "dark"]) {
      for (const width of [1280, 400]) {
        const name = `${folder}/${language.slice(0, 2)}-${theme}-${width}`;
        const gateway = await fakeGateway({ signedIn: true });
        const page = await open(gateway.url, { language, theme, width });
        await page.locator("#alarms > ul > li").first().waitFor();
        await page.screenshot({ path: `${name}.png`, fullPage: true });
        assert.equal(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), true, `${name} scrolls sideways`);
        gateway.state.me = null;
        await page.reload();
        await page.locator("form").waitFor();
        await page.screenshot({ path: `${name}-sign-in.png` });
        await done(page);
        await gateway.stop();
      }
    }
  }
}

await run(pictures === undefined ? checks : { ...checks, "takes pictures": () => takePictures(pictures) });
