import { appendFile, readFile, rename } from 'node:fs/promises';

/**
 * Moves the file that an instance has open to where its log belongs, keeping the log's content so far. The instance cannot
 * open the log by itself: it started before the log's folder existed, and may not write there.
 */
export async function becomeLog(draft: string, log: string): Promise<void> {
  // The log is for people: a full disk keeps no app from starting.
  const before = await readFile(log).catch(() => Buffer.alloc(0));
  await appendFile(draft, before).catch(() => undefined);
  await rename(draft, log);
}
