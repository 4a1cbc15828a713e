import { setFlagsFromString } from 'node:v8';
import type * as server from './server/run.js';

/** Loads the server without starting it, which may be done before everything that it needs is there. */
export async function load(): Promise<typeof server> {
  // While a program is loaded, V8 lets the space for young objects grow to 32 MB, which it keeps while the server is idle. To be
  // said before everything else is loaded. What a request needs fits into the 2 MB that it begins with.
  setFlagsFromString('--semi-space-growth-factor=1');
  return import('./server/run.js');
}

/** The whole server, from the process environment to its end. Expected mistakes end it with one line. */
export async function main(options: server.RunOptions = {}): Promise<void> {
  const { run } = await load();
  await run(options);
}
