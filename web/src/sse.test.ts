import { describe, expect, it } from "vitest";
import { SseReader } from "./sse";

const TEXT =
  ": alive\n\n" +
  'event: numbers\ndata: {"counts":1}\n\n' +
  'retry: 1000\nevent: changes\nid: 12\ndata: {"seq":12,\ndata: "at":"å"}\n\n' +
  'event: unheard-of\ndata: {"x":1}\n\n' +
  "event: signed-out\ndata: null\n\n";

describe("reading a stream", () => {
  it("gives the same events however the text is cut", () => {
    const whole = new SseReader().feed(TEXT);
    expect(whole.map((event) => event.name)).toEqual(["numbers", "changes", "signed-out"]);
    expect(whole[1]).toEqual({ name: "changes", data: { seq: 12, at: "å" } });
    for (let size = 1; size < TEXT.length; size += 1) {
      const reader = new SseReader();
      const pieces = [];
      for (let at = 0; at < TEXT.length; at += size) pieces.push(...reader.feed(TEXT.slice(at, at + size)));
      expect(pieces).toEqual(whole);
    }
  });

  it("keeps an unfinished event for later", () => {
    const reader = new SseReader();
    expect(reader.feed('event: numbers\ndata: {"counts"')).toEqual([]);
    expect(reader.feed(":2}\n\n")).toEqual([{ name: "numbers", data: { counts: 2 } }]);
  });

  it("does not grow without end", () => {
    const reader = new SseReader();
    const piece = "x".repeat(8 * 1024 * 1024);
    reader.feed(piece);
    expect(() => {
      reader.feed(piece);
      reader.feed(piece);
    }).toThrow("without an end");
  });
});
