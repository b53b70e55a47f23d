import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";

const css = readFileSync(new URL("./look.css", import.meta.url), "utf8");

/** The colours of one theme; the dark one changes what the light one set. */
function colours(theme: "light" | "dark"): Record<string, string> {
  const blocks = [/:root \{([^}]*)\}/, /:root\[data-theme="dark"\] \{([^}]*)\}/].map((block) => block.exec(css)?.[1] ?? "");
  const text = theme === "light" ? blocks[0]! : blocks.join("\n");
  return Object.fromEntries([...text.matchAll(/--([\w-]+): (#[0-9a-f]{6});/g)].map(([, name, value]) => [name!, value!]));
}

function luminance(colour: string): number {
  const [red, green, blue] = [1, 3, 5].map((at) => {
    const part = parseInt(colour.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red! + 0.7152 * green! + 0.0722 * blue!;
}

function contrast(a: string, b: string): number {
  const [dark, light] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return (light! + 0.05) / (dark! + 0.05);
}

// WCAG 2.2: 1.4.3 for text, 1.4.11 for what must be told apart to use the page.
const TEXT = [
  ["text", "page"], ["text", "card"], ["text", "accent-soft"], ["quiet", "page"], ["quiet", "card"],
  ["accent", "card"], ["accent-text", "accent"], ["warn", "warn-soft"], ["bad", "bad-soft"], ["bad", "card"],
  ...[1, 2, 3, 4].flatMap((rank) => [[`p${rank}`, "card"], [`p${rank}-text`, `p${rank}`]]),
];
const SHAPES = [["line-strong", "card"], ["line-strong", "page"], ["focus", "card"], ["focus", "page"]];

describe.each(["light", "dark"] as const)("the %s theme", (theme) => {
  const known = colours(theme);

  it.each(TEXT)("writes %s on %s readably", (above, below) => {
    expect(contrast(known[above!]!, known[below!]!)).toBeGreaterThanOrEqual(4.5);
  });

  it.each(SHAPES)("shows %s on %s", (above, below) => {
    expect(contrast(known[above!]!, known[below!]!)).toBeGreaterThanOrEqual(3);
  });
});
