// What each rule's alarm means, in its author's words. Asked for when an alarm names a rule that is not known yet: the
// rules may have changed while the screen was open.

import { SvelteMap } from "svelte/reactivity";
import { rulesInForce } from "./api";
import type { Rule } from "./wire";

/** An alarm may outlive its rule; its words are then not asked for again and again. */
const ASK_AGAIN_AFTER_MS = 30_000;

export class Rules {
  private readonly known = new SvelteMap<string, Rule>();
  private askedAt = -Infinity;

  /** The rule's words; undefined until they are known. */
  of(id: string): Rule | undefined {
    return this.known.get(id);
  }

  /** Asks for the rules when one of these is not known. */
  async need(ids: Iterable<string>, now = Date.now()): Promise<void> {
    if (now - this.askedAt < ASK_AGAIN_AFTER_MS) return;
    if (![...ids].some((id) => !this.known.has(id))) return;
    this.askedAt = now;
    try {
      for (const rule of await rulesInForce()) this.known.set(rule.id, rule);
    } catch {
      // The alarm is shown with the rule's id; asked again later.
    }
  }
}
