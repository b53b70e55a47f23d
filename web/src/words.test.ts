import { describe, expect, it } from "vitest";
import da from "./i18n/da.json";
import en from "./i18n/en.json";

const places = (text: string) => (text.match(/\{\w+\}/g) ?? []).sort();

describe("the two catalogues", () => {
  it("have the same keys and the same places to fill", () => {
    expect(Object.keys(en)).toEqual(Object.keys(da));
    for (const key of Object.keys(da) as (keyof typeof da)[]) expect(places(en[key]), key).toEqual(places(da[key]));
  });

  it("say nothing that the house does not say", () => {
    const never = /\b(alert|incident|severity|snooze|mute|ticket|job|prevents?|detects?|predicts?|forebygger|forudsiger|hændelsesrapport|sag(er)?)\b/i;
    for (const text of [...Object.values(da), ...Object.values(en)]) expect(text).not.toMatch(never);
  });
});
