// Every word on screen, in Danish and English, and the look a person has chosen.
//
// The two catalogues must have the same keys: the two constants below do not compile otherwise.

import da from "./i18n/da.json";
import en from "./i18n/en.json";
import type { Task } from "./wire";

export type Key = keyof typeof da;
export type Language = "da" | "en";
export type Theme = "light" | "dark";

const danish: Record<keyof typeof en, string> = da;
const english: Record<keyof typeof da, string> = en;
const catalogues: Record<Language, Record<Key, string>> = { da: danish, en: english };
const locales: Record<Language, string> = { da: "da-DK", en: "en-GB" };

class Preferences {
  language = $state<Language>(stored("language", ["da", "en"]) ?? (navigator.language.startsWith("en") ? "en" : "da"));
  theme = $state<Theme>(stored("theme", ["light", "dark"]) ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light"));

  switchLanguage(): void {
    this.language = this.language === "da" ? "en" : "da";
    store("language", this.language);
  }

  switchTheme(): void {
    this.theme = this.theme === "dark" ? "light" : "dark";
    store("theme", this.theme);
  }
}

export const preferences = new Preferences();

/** The text of a key, its `{names}` filled in. */
export function t(key: Key, values: Record<string, string | number> = {}): string {
  return catalogues[preferences.language][key].replace(/\{(\w+)\}/g, (whole, name: string) => {
    const value = values[name];
    return value === undefined ? whole : typeof value === "number" ? number(value) : value;
  });
}

/** The text for a code that the gateway sent; the code itself when it has no words yet. */
export function word(kind: "kind" | "status" | "stage" | "reason", code: string): string {
  const key = `${kind}.${code}`;
  return key in danish ? t(key as Key) : code;
}

/** How far a task is: its stage on the way, and how it ended once it has. */
export function progress(task: Pick<Task, "status" | "stage" | "ended_at">): string {
  return task.stage !== undefined && task.ended_at === undefined ? word("stage", task.stage) : word("status", task.status);
}

/** A refusal in words. */
export function problemWords(code: string): string {
  const key = `problem.${code}`;
  return key in danish ? t(key as Key) : t("problem.other");
}

export function number(value: number): string {
  return new Intl.NumberFormat(locales[preferences.language]).format(value);
}

/** A length of time, as coarse as it is told: 45 s, 12 min, 3 h, 2 d. */
export function span(seconds: number): string {
  const [unit, length] = ([["d", 86_400], ["h", 3_600], ["min", 60]] as const).find(([, length]) => seconds >= length) ?? ["s", 1];
  return `${number(Math.floor(seconds / length))} ${t(`span.${unit}`)}`;
}

const clock: Intl.DateTimeFormatOptions = { timeZone: "Europe/Copenhagen", hour: "2-digit", minute: "2-digit", second: "2-digit" };
const dated: Intl.DateTimeFormatOptions = { timeZone: "Europe/Copenhagen", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" };
const simulated: Intl.DateTimeFormatOptions = { ...dated, weekday: "short" };
const day: Intl.DateTimeFormatOptions = { timeZone: "Europe/Copenhagen", dateStyle: "short" };
const formats = new Map<string, Intl.DateTimeFormat>();

/** A simulated moment: it may be any day, so its weekday and date are told. */
export function simulatedMoment(at: string): string {
  return format("simulated", simulated).format(new Date(at));
}

/** A moment in Danish time: the clock when it was on the same day as `today`, else with its date. */
export function moment(at: string | Date, today = new Date()): string {
  const date = typeof at === "string" ? new Date(at) : at;
  const sameDay = format("day", day).format(date) === format("day", day).format(today);
  return sameDay ? format("clock", clock).format(date) : format("dated", dated).format(date);
}

function format(name: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = `${preferences.language} ${name}`;
  let found = formats.get(key);
  if (found === undefined) {
    found = new Intl.DateTimeFormat(locales[preferences.language], options);
    formats.set(key, found);
  }
  return found;
}

/** Storage may be forbidden; a preference is then kept until the page is closed. */
function stored<T extends string>(name: string, known: readonly T[]): T | undefined {
  try {
    return known.find((value) => value === localStorage.getItem(`rettidig.${name}`));
  } catch {
    return undefined;
  }
}

function store(name: string, value: string): void {
  try {
    localStorage.setItem(`rettidig.${name}`, value);
  } catch {
    // See `stored`.
  }
}
