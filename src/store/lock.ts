import { readFile, rm, stat } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { dirname } from 'node:path';
import { ensureFolder } from '../lib/ensure-folder.js';
import { replaceFile } from '../lib/replace-file.js';
import { z } from 'zod';
import { hasCode } from '../errors.js';

const schema = z.object({
  pid: z.number().int(),
  startTime: z.string(),
  /** The public base; empty while the server starts. */
  url: z.string(),
  /** Where this machine itself reaches it, whatever the public base is. */
  local: z.string().optional(),
});

/** Which server works on a data folder. */
export type ServerRecord = z.infer<typeof schema>;

/** The server that this data folder was last served by; undefined where there is no readable record of one. */
export async function readServerRecord(file: string): Promise<ServerRecord | undefined> {
  try {
    return schema.parse(JSON.parse(await readFile(file, 'utf8')));
  } catch {
    return undefined; // Never written, or cut off by a crash: there is no server to find by it.
  }
}

/**
 * Takes a data folder for one server, of however many start at once. The lock is a name that the kernel gives to one
 * process and takes back when it ends, however it ends: nothing can be left behind
 * (abstract sockets, https://man7.org/linux/man-pages/man7/unix.7.html).
 * @returns the lock, which a later server can be handed; undefined where another server has it
 */
export async function claimData(folder: string): Promise<Server | undefined> {
  // The folder itself, not its path: it may have several, and two containers may each have a /data.
  const { dev, ino } = await stat(folder, { bigint: true });
  const lock = createServer();
  return new Promise((resolve, reject) => {
    lock.once('error', (error) => (hasCode(error, 'EADDRINUSE') ? resolve(undefined) : reject(error)));
    lock.listen(`\0streamlit-host/${dev}/${ino}`, () => resolve(keepLock(lock)));
  });
}

/** Holds a lock until the process ends, which it does not keep from ending. */
export function keepLock(lock: Server): Server {
  lock.on('connection', (socket) => socket.destroy());
  return lock.unref();
}

/** Writes down where the server that has the data folder answers. */
export async function writeServerRecord(file: string, record: ServerRecord): Promise<void> {
  await ensureFolder(dirname(file), 0o700);
  await replaceFile(file, `${JSON.stringify(record)}\n`, { mode: 0o600 });
}

export async function removeServerRecord(file: string): Promise<void> {
  await rm(file, { force: true });
}
