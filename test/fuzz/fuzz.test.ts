import { Script } from 'node:vm';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Refusal } from '../../src/errors.js';
import { inputsOf } from './inputs.js';
import type { Parser } from './parser.js';
import { PARSERS } from './parsers.js';

// Whatever is pushed, uploaded, sent or printed is either understood or refused, in time. `npm run fuzz` tries more of it.

/** How many inputs each parser gets, and where they begin: `npm run fuzz -- --count <count> --seed <seed>`. */
const COUNT = Number(process.env.FUZZ_COUNT ?? 1_000);
const SEED = Number(process.env.FUZZ_SEED ?? 1);
/** How many are tried before a parser that never ends is looked for, and how long they may take in all, in ms. */
const AT_ONCE = 1_000;
const AT_ONCE_MS = 180_000;

/** How long an input may take, in ms of processor time. */
const DEADLINE_MS = 250;

/** Runs what may never end. It stands in the global scope, because that is all that a script with a time-out can see. */
const guarded = new Script('globalThis.fuzzed()');

function run(work: () => void): void {
  (globalThis as { fuzzed?: () => void }).fuzzed = work;
  guarded.runInThisContext({ timeout: AT_ONCE_MS });
}

/** What is wrong with how an input was read; undefined where nothing is. */
function complaint({ read, accepts, deadlineMs = DEADLINE_MS }: Parser, text: string): string | undefined {
  const wall = performance.now();
  const begun = process.cpuUsage();
  try {
    if (read(text) === false) return 'what was made of it must not be';
  } catch (error) {
    if (!(error instanceof Refusal) && accepts?.(error) !== true)
      return error instanceof Error ? `${error.name}: ${error.message}\n${error.stack ?? ''}` : String(error);
  }
  if (performance.now() - wall <= deadlineMs) return undefined;
  const { user, system } = process.cpuUsage(begun);
  const ms = (user + system) / 1_000;
  return ms > deadlineMs ? `it took ${Math.round(ms)} ms` : undefined;
}

/** What failed, with what it came from. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined ? error.message : `${error.message}\n${reasonOf(error.cause)}`;
}

describe.each(Object.entries(PARSERS))('%s', (name, parser) => {
  // Else it would only be tried how it refuses.
  it.each(parser.samples)('is parsed from %j', (sample) => {
    expect(parser.read(sample)).not.toBe(false);
  });

  it('parses or refuses any input in time', { timeout: 0 }, () => {
    const inputs = inputsOf(parser);
    for (let done = 0; done < COUNT; done += AT_ONCE) {
      let last = '';
      const property = fc.property(inputs, (text) => {
        last = text;
        const wrong = complaint(parser, text);
        if (wrong !== undefined) throw new Error(wrong);
      });
      const numRuns = Math.min(AT_ONCE, COUNT - done);
      try {
        run(() => fc.assert(property, { seed: SEED + done, numRuns }));
      } catch (error) {
        expect.fail(
          `${name}, --seed ${SEED + done} --count ${numRuns}, ${last.length} characters: ` +
            `${JSON.stringify(last.slice(0, 400))}\n${reasonOf(error)}`,
        );
      }
    }
  });
});
