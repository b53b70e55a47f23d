import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import da from "./i18n/da.json";
import en from "./i18n/en.json";

const places = (text: string) => (text.match(/\{\w+\}/g) ?? []).sort();

describe("the two catalogues", () => {
  it("have the same keys and the same places to fill", () => {
    expect(Object.keys(en)).toEqual(Object.keys(da));
    for (const key of Object.keys(da) as (keyof typeof da)[]) expect(places(en[key]), key).toEqual(places(da[key]));
  });

  it("have words for every task that a rule asks for and every reason that the gateway gives, and no others", () => {
    const root = new URL("../../", import.meta.url);
    const rules = new URL("config/rules/", root);
    const texts = readdirSync(rules).filter((name) => name.endsWith(".toml")).map((name) => readFileSync(new URL(name, rules), "utf8"));
    const kinds = texts.flatMap((text) => [...text.matchAll(/^task = \{ kind = "([^"]+)"/gm)].map(([, kind]) => kind));
    const source = readFileSync(new URL("src/domain/reason.rs", root), "utf8").split("impl QuarantineReason")[1]!.split("\nimpl ")[0]!;
    const reasons = [...source.matchAll(/=> "([^"]+)"/g)].map(([, reason]) => reason);
    const known = (prefix: string) => Object.keys(da).filter((key) => key.startsWith(prefix)).map((key) => key.slice(prefix.length));
    expect(kinds.length).toBeGreaterThan(5);
    expect(reasons.length).toBeGreaterThan(10);
    expect(known("kind.").sort()).toEqual([...new Set(kinds)].sort());
    expect(known("reason.").sort()).toEqual([...reasons].sort());
  });

  it("say nothing that the house does not say", () => {
    const never = /\b(alert|incident|severity|snooze|mute|ticket|job|prevents?|detects?|predicts?|forebygger|forudsiger|hændelsesrapport|sag(er)?)\b/i;
    for (const text of [...Object.values(da), ...Object.values(en)]) expect(text).not.toMatch(never);
  });
});
