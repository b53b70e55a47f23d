// The browser of the end-to-end checks: Chromium without network of its own, and pages that accept no complaint.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { chromium } from "playwright-core";

const executablePath = process.env["CHROMIUM"] ?? "/usr/bin/chromium";
if (!existsSync(executablePath)) {
  process.stderr.write(
    `e2e: ${executablePath} is missing: install the package chromium, on Debian: apt-get install chromium; ` +
      "or set CHROMIUM to a Chromium-based browser\n",
  );
  process.exit(1);
}

export const browser = await chromium.launch({
  executablePath,
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});

/** A page that notes anything the browser complains about, and any other host it is asked to reach. */
export async function open(url, { path = "/", language = "da-DK", theme = "light", width = 1280 } = {}) {
  const context = await browser.newContext({ locale: language, colorScheme: theme, reducedMotion: "reduce", viewport: { width, height: 900 }, timezoneId: "America/New_York" });
  const page = await context.newPage();
  page.complaints = [];
  page.on("pageerror", (error) => page.complaints.push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "error" && !/Failed to load resource|ERR_/.test(message.text())) page.complaints.push(message.text());
  });
  page.on("request", (request) => {
    if (!request.url().startsWith(url)) page.complaints.push(`asked another host: ${request.url()}`);
  });
  await page.goto(url + path);
  return page;
}

export async function done(page) {
  assert.deepEqual(page.complaints, []);
  await page.context().close();
}

/** Runs named checks one after the other; the first that fails ends the run. */
export async function run(checks) {
  try {
    for (const [name, check] of Object.entries(checks)) {
      const began = Date.now();
      await check().catch((error) => {
        process.stderr.write(`FAILED  ${name}\n`);
        throw error;
      });
      process.stdout.write(`ok  ${name} (${((Date.now() - began) / 1_000).toFixed(1)} s)\n`);
    }
  } finally {
    await browser.close();
  }
}
