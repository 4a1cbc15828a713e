import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';

// What the helpers begin, they also end, so that no test has to: with the file's last test, also where its set-up broke off.
const ends: (() => unknown)[] = [];

/** Ends something with the test file, the newest first. It may have been ended before. */
export function endWithFile(end: () => unknown): void {
  ends.push(end);
}

/** A temporary folder that goes with the test file. */
export async function scratch(prefix: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), prefix));
  endWithFile(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
  return folder;
}

// vitest.config.ts names this file, so that this stands before, and comes after, whatever a test file ends by itself.
afterAll(async () => {
  const failures: unknown[] = [];
  for (const end of ends.reverse()) {
    // One that cannot be ended must not keep the others from it.
    await Promise.resolve(end()).catch((error: unknown) => failures.push(error));
  }
  if (failures.length > 0) throw new AggregateError(failures, 'what the tests began could not be ended');
});
