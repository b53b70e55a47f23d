// Reads Server-Sent Events from text that arrives in arbitrary pieces. Any text, comments included, is a sign of
// life; the caller sees to that. Ids are not kept: each event carries its seq in its data.

import type { StreamEvent } from "./wire";

const NAMES = new Set(["reset", "changes", "numbers", "signed-out"]);
/** A piece without an end that grows beyond this is no stream of ours. */
const PENDING_MAX = 16 * 1024 * 1024;

export class SseReader {
  private pending = "";

  /** Takes the next piece of text and returns the events that are complete. Unknown events are passed over. */
  feed(text: string): StreamEvent[] {
    this.pending += text;
    const blocks = this.pending.split("\n\n");
    this.pending = blocks.pop() ?? "";
    if (this.pending.length > PENDING_MAX) throw new Error("the stream sent an event without an end");
    return blocks.flatMap(read);
  }
}

function read(block: string): StreamEvent[] {
  let name = "";
  const data: string[] = [];
  for (const line of block.split("\n")) {
    if (line.startsWith("event:")) name = line.slice(6).trim();
    else if (line.startsWith("data:")) data.push(line.slice(5).replace(/^ /, ""));
  }
  if (!NAMES.has(name)) return [];
  return [{ name, data: JSON.parse(data.join("\n") || "null") } as StreamEvent];
}
