import { join } from 'node:path';
import { socketPath } from '../../src/runtime/process/listener.js';
import { readMeta, type TestHost } from './host.js';

/** The socket on which an app's live release answers. */
export async function socketOf(host: TestHost, id: string): Promise<string> {
  const meta = await readMeta(host, id);
  const { processes, live } = meta as { processes: { release: number; mark: string }[]; live: number };
  const mark = processes.find((one) => one.release === live)?.mark;
  if (mark === undefined) throw new Error(`${id} does not run`);
  return socketPath(join(host.data, 'run/app'), mark);
}
