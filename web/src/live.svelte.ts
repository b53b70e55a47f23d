// Keeps a screen live: connects, reads, notices silence, reconnects and resumes.
//
// `fetch` instead of EventSource, because a screen in an operations centre must see the heartbeat, must not trust a
// connection that has gone quiet, and must know whether it was signed out.

import { Board, Follower } from "./board";
import { SseReader } from "./sse";

/** The gateway says that it is alive every 2 s. */
const STALE_AFTER_MS = 5_000;
const GIVE_UP_AFTER_MS = 8_000;
const RETRY_MS = [250, 500, 1_000, 2_000, 4_000];

export class Live {
  /** The board to show. The object is the same while it grows: `version` says that it has changed. */
  board = $state.raw(new Board());
  version = $state(0);
  /** The first whole board has arrived. */
  begun = $state(false);
  /** When the gateway was last heard, while it is silent; undefined while the screen is live. */
  silentSince = $state<Date | undefined>(undefined);

  private readonly follower = new Follower();
  private heardAt = Date.now();
  private stopped = false;
  private connection: AbortController | undefined;
  private readonly watch: ReturnType<typeof setInterval>;

  constructor(private readonly signedOut: () => void) {
    this.watch = setInterval(() => this.look(), 500);
    void this.run();
  }

  stop(): void {
    this.stopped = true;
    clearInterval(this.watch);
    this.connection?.abort();
  }

  private async run(): Promise<void> {
    for (let failures = 0; !this.stopped; failures += 1) {
      const heardBefore = this.heardAt;
      try {
        await this.follow();
      } catch {
        // Every way a connection can end is answered the same: come back and resume.
      }
      this.follower.broken();
      if (this.heardAt > heardBefore) failures = 0;
      const wait = RETRY_MS[Math.min(failures, RETRY_MS.length - 1)]!;
      await new Promise((resume) => setTimeout(resume, wait * (0.75 + Math.random() / 2)));
    }
  }

  private async follow(): Promise<void> {
    const { resume } = this.follower;
    this.connection = new AbortController();
    const response = await fetch(`/api/v1/stream${resume ? `?journal=${resume.journal}` : ""}`, {
      headers: resume ? { "Last-Event-ID": String(resume.seq) } : {},
      signal: this.connection.signal,
      cache: "no-store",
    });
    if (response.status === 401 || response.status === 403) return this.leave();
    if (!response.ok || response.body === null) return;
    const reader = new SseReader();
    const pieces = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { done, value } = await pieces.read();
      if (done) return;
      this.heard();
      for (const event of reader.feed(value)) {
        if (event.name === "signed-out") return this.leave();
        if (this.follower.apply(event)) this.show();
      }
    }
  }

  private show(): void {
    this.board = this.follower.board;
    this.version += 1;
    this.begun = true;
  }

  private heard(): void {
    this.heardAt = Date.now();
    if (this.begun) this.silentSince = undefined;
  }

  private look(): void {
    const silentFor = Date.now() - this.heardAt;
    if (silentFor > STALE_AFTER_MS) this.silentSince ??= new Date(this.heardAt);
    if (silentFor > GIVE_UP_AFTER_MS) {
      this.connection?.abort();
    }
  }

  private leave(): void {
    this.stop();
    this.signedOut();
  }
}
