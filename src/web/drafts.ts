import { randomBytes } from 'node:crypto';
import type { Context } from 'koa';
import { sameSecret, type Sessions } from '../store/sessions.js';
import { tokenSent } from './csrf.js';
import { formToken } from './form-token.js';

/** How long (ms) a draft is kept for somebody who logs in again. */
const KEPT_MS = 3_600_000;

/** The most that all drafts may have, in characters: what is older goes first. */
const MOST = 16 * 1024 * 1024;

/** The pages on which people type texts, each of them sent to where it is shown. */
const TEXTS = /^\/console\/apps\/[^/]+\/(files\/.+|new-file|config)$/;

/** What somebody typed into a form. */
export interface Draft {
  /** Whose it is; undefined for the admin token. */
  account: string | undefined;
  /** Where the form was sent. */
  path: string;
  fields: Readonly<Record<string, string>>;
}

/** The forms that could not be saved because the session was over. They are in memory only, as some hold secrets. */
export class Drafts {
  readonly #drafts = new Map<string, Draft & { size: number; end: number }>();
  readonly #now: () => number;
  #size = 0;

  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  /** Returns whether what is sent to a path is worth keeping. */
  static takes(path: string): boolean {
    return TEXTS.test(path);
  }

  /** Keeps a draft. @returns its id, for an address */
  keep(draft: Draft): string {
    const id = randomBytes(18).toString('base64url');
    const size = Object.entries(draft.fields).reduce((sum, [name, value]) => sum + name.length + value.length, 0);
    this.#drafts.set(id, { ...draft, size, end: this.#now() + KEPT_MS });
    this.#size += size;
    for (const [old, { size: freed, end }] of this.#drafts) {
      if (this.#size <= MOST && end > this.#now()) break;
      this.#drafts.delete(old);
      this.#size -= freed;
    }
    return id;
  }

  /** The fields of a draft, for nobody but the one whose it is, at the page where it belongs. */
  find(id: string, account: string | undefined, path: string): Draft['fields'] | undefined {
    const draft = this.#drafts.get(id);
    const isTheirs = draft?.account === account && draft?.path === path && draft.end > this.#now();
    return isTheirs ? draft.fields : undefined;
  }
}

/** Keeps the fields of a form, if it was shown to a session that has ended. @returns the id of the draft */
export function keepDraft(ctx: Context, sessions: Pick<Sessions, 'ownerOfEnded'>, drafts: Drafts): string | undefined {
  const sent = tokenSent(ctx);
  if (sent === undefined || !('form' in sent)) return undefined;
  const owner = sessions.ownerOfEnded((csrf) => sameSecret(sent.form, formToken(csrf, ctx.path)));
  if (owner === undefined) return undefined;
  const { csrf: _, ...fields } = (ctx.request as { body?: Record<string, unknown> }).body ?? {};
  const texts = Object.entries(fields).filter((field): field is [string, string] => typeof field[1] === 'string');
  return drafts.keep({ account: owner.account, path: ctx.path, fields: Object.fromEntries(texts) });
}

/** Gives the page that an address with a draft opens the fields of that form. @param account who opens it */
export function restoreDraft(ctx: Context, drafts: Drafts, account: string | undefined): void {
  const { draft } = ctx.query;
  const fields = typeof draft === 'string' ? drafts.find(draft, account, ctx.path) : undefined;
  if (fields === undefined) return;
  (ctx.request as { body?: unknown }).body = fields;
  (ctx.state as { hasDraft?: boolean }).hasDraft = true;
}

/** Returns whether a page has the fields of a form that was not saved, because the session was over. */
export function hasDraft(ctx: Context): boolean {
  return (ctx.state as { hasDraft?: boolean }).hasDraft === true;
}
