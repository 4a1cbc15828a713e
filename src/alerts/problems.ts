import { z } from 'zod';
import { MACHINE } from '../store/vault.js';
import { ruleNames, type Rule } from './rules.js';

export { MACHINE };

export const problemSchema = z.object({
  rule: z.enum(ruleNames),
  /** The app, or `MACHINE`. */
  of: z.string(),
  /** What is wrong, in one sentence. */
  text: z.string(),
  /** ms since 1970 */
  since: z.number(),
});

/** Something that is wrong now. */
export type Problem = z.infer<typeof problemSchema>;

/** Names a problem: a rule has one for each app. */
export function keyOf({ rule, of }: Pick<Problem, 'rule' | 'of'>): string {
  return `${of}/${rule}`;
}

/** What is wrong now: for each rule and app, a problem or none. */
export class Problems {
  readonly #open = new Map<string, Problem>();
  /** Why problems passed that are not open any more, where that is not what their rule says. */
  readonly #passed = new Map<string, string>();

  /** @param open those that an earlier server knew */
  constructor(open: readonly Problem[] = []) {
    for (const problem of open) this.#open.set(keyOf(problem), problem);
  }

  get open(): ReadonlyMap<string, Problem> {
    return this.#open;
  }

  /** Why a problem passed, where that is known. */
  passed(key: string): string | undefined {
    return this.#passed.get(key);
  }

  /** Notes that something is wrong. Where that is known already, it goes on from then. */
  begin(rule: Rule, of: string, text: string, now: number): void {
    const key = keyOf({ rule, of });
    this.#open.set(key, { rule, of, text, since: this.#open.get(key)?.since ?? now });
    this.#passed.delete(key);
  }

  /** Notes that something is not wrong, or not any more. @param why in one sentence */
  end(rule: Rule, of: string, why?: string): void {
    const key = keyOf({ rule, of });
    if (!this.#open.delete(key)) return;
    if (why === undefined) this.#passed.delete(key);
    else this.#passed.set(key, why);
  }

  /** Forgets all of an app that is gone. */
  forget(of: string): void {
    for (const all of [this.#open, this.#passed])
      for (const key of all.keys()) if (key.startsWith(`${of}/`)) all.delete(key);
  }
}
