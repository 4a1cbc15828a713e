/** When an app that nobody uses is put to sleep. */
export interface SleepRule {
  /** After this long without a visitor, in ms; 0 = never. */
  afterMs: number;
  /** A page that is open and was not touched for this long (ms) counts as no visitor. */
  idlePageMs: number;
}

/** What is known of an app's use. */
export interface Use {
  /** When somebody last asked for something or touched a page, in ms since 1970. */
  lastActivity: number;
  /** Pages that are open. */
  sockets: number;
  /** Requests that are under way, the open pages' WebSockets included. */
  claims: number;
}

/** True where nobody would notice that the app sleeps. */
export function maySleep(use: Use, rule: SleepRule, now: number): boolean {
  if (rule.afterMs <= 0 || use.claims > use.sockets) return false;
  const quiet = now - use.lastActivity;
  return quiet >= (use.sockets > 0 ? Math.max(rule.afterMs, rule.idlePageMs) : rule.afterMs);
}

/**
 * True for bytes that a browser sends by itself, without a person: a ping or its answer. Streamlit's server pings every
 * 30 s, and each open tab answers (https://www.rfc-editor.org/rfc/rfc6455#section-5.5.2).
 * @param chunk what came from the browser at once
 */
export function isHeartbeat(chunk: Uint8Array): boolean {
  const opcode = (chunk[0] ?? 0) & 0x0f;
  // A control frame has at most 125 bytes, after 2 of head and 4 of mask.
  return (opcode === 0x9 || opcode === 0xa) && chunk.length <= 131;
}
