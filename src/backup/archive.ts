import { once } from 'node:events';
import { chown, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createGzip } from 'node:zlib';
import { z } from 'zod';
import { ensureFolder } from '../lib/ensure-folder.js';
import { hasCode, messageOf, Refusal } from '../errors.js';
import { lower } from '../lib/priority.js';
import { spawn } from '../lib/spawn.js';

/** The first file of a backup, which says what it is. */
const MANIFEST = 'streamlit-host-backup.json';
/** The form of a backup; a later one is refused. */
const FORMAT = 1;

const manifest = z.object({
  format: z.number().int(),
  createdAt: z.string(),
  /** Whether the key for config and secrets, and the admin token, are in it. */
  key: z.boolean(),
});

export type Manifest = z.infer<typeof manifest>;

/** How the name of a folder begins in which a backup is unpacked. */
const DRAFT = '.restoring-';

/** What is in a backup beside the apps: paths below the data folder. */
const FILES = ['users.json', 'tokens.json', 'sessions.json', 'config.last-good.json'];
/** What decrypts the rest, and what logs in. */
const SECRETS = ['vault.key', 'admin-token'];
/** What is made again from the rest of an app: files of releases are checked out of its repository. */
const MADE_AGAIN = ['current', 'venv', 'run.log'];

/** What an app itself writes, below its folder. */
const STORAGE = 'storage';
/** The list of those, for tar. */
const TREES = 'trees';

/** What goes into a backup. */
export interface BackupRequest {
  /** The data folder, absolute. */
  data: string;
  /** A folder for work in progress. */
  tmp: string;
  /** The PATH on which tar is found. */
  path: string;
  /** True if the key for config and secrets, and the admin token, are to be in it. */
  key: boolean;
  /** Gives it up. */
  signal?: AbortSignal | undefined;
}

/**
 * Writes a backup of a data folder, as a compressed tar archive, while a server works on it. Records come first, then
 * branches, then what they name: that is written before it is named, so it is there.
 * @param to is not ended: whether tar succeeded is known only after the last byte
 * @throws Error where tar fails or what is written to does
 */
export async function writeBackup(request: BackupRequest, to: NodeJS.WritableStream): Promise<Manifest> {
  const { data, tmp, path, key, signal } = request;
  await ensureFolder(tmp);
  const folder = await mkdtemp(join(tmp, 'backup-'));
  try {
    const facts: Manifest = { format: FORMAT, createdAt: new Date().toISOString(), key };
    await writeFile(join(folder, MANIFEST), `${JSON.stringify(facts, null, 2)}\n`, { mode: 0o600 });
    const { names, trees } = await contents(data, key);
    await writeFile(join(folder, TREES), trees.map(ended).join(''), { mode: 0o600 });
    signal?.throwIfAborted();
    const argv = [
      '--create',
      '--file=-',
      ...CREATE,
      `--directory=${folder}`,
      MANIFEST,
      ...from(data, join(folder, TREES)),
    ];
    const tar = spawn('tar', argv, {
      env: { PATH: path, LC_ALL: 'C.UTF-8' },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    lower(tar.pid, 'build');
    tar.stdin.on('error', () => undefined); // It ended before it had read all: its exit code tells.
    tar.stdin.end(names.map(ended).join(''));
    const copy = (done: AbortSignal): Promise<void> =>
      pipeline(tar.stdout, createGzip({ level: 1 }), to, {
        signal: signal ? AbortSignal.any([done, signal]) : done,
        end: false,
      });
    await through(tar, copy, CHANGED);
    return facts;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/**
 * Puts a backup into a data folder that is empty or not there: all of it, or nothing.
 * @param options.key what vault.key holds, for a backup without it
 * @param options.path the PATH on which tar is found
 * @throws Refusal `restore-not-empty`, `backup-unreadable`, `backup-key-missing`
 */
export async function restoreBackup(
  from: Readable,
  data: string,
  { key, path }: { key: Buffer | undefined; path: string },
): Promise<Manifest> {
  from.on('error', () => undefined); // It may fail before anything is read from it: the pipeline tells.
  const there = await readdir(data).catch((error: unknown) => {
    if (hasCode(error, 'ENOENT')) return [];
    throw error;
  });
  // The root of a disk of its own is never quite empty (https://man7.org/linux/man-pages/man8/mklost+found.8.html).
  const [found, ...more] = there.filter((name) => name !== 'lost+found');
  if (found?.startsWith(DRAFT) === true && more.length === 0) {
    const sentence = `${data} contains what an interrupted restore left. Remove ${join(data, found)}, then restore again.`;
    throw new Refusal('conflict', 'restore-interrupted', sentence);
  }
  if (found !== undefined) {
    const sentence = `${data} is not empty. Restore into an empty folder, or one that does not exist yet.`;
    throw new Refusal('conflict', 'restore-not-empty', sentence);
  }
  const parent = await ensureFolder(dirname(data));
  const made = await ensureFolder(data, 0o700);
  // Inside, as the data folder may be a mount, and what is beside it somebody else's.
  const draft = await mkdtemp(join(data, DRAFT));
  try {
    const tar = spawn(
      'tar',
      ['--extract', '--file=-', '--ignore-zeros', '--numeric-owner', '--preserve-permissions', `--directory=${draft}`],
      {
        env: { PATH: path, LC_ALL: 'C.UTF-8' },
        stdio: ['pipe', 'pipe', 'pipe'],
      },
    );
    await through(tar, (done) => pipeline(from, createGunzip(), tar.stdin, { signal: done })).catch(
      (error: unknown) => {
        throw unreadable(messageOf(error), error);
      },
    );
    const facts = await readManifest(join(draft, MANIFEST));
    const server = await stat(join(draft, MANIFEST));
    await rm(join(draft, MANIFEST));
    if (!facts.key && key === undefined) {
      const sentence =
        'This backup does not contain the key for config and secrets. Name the copy of vault.key that you kept with --key.';
      throw new Refusal('invalid', 'backup-key-missing', sentence);
    }
    if (key !== undefined) await writeFile(join(draft, 'vault.key'), key, { mode: 0o600 });
    const names = await readdir(draft);
    // Where root restores, what is not in the archive itself belongs to whom the rest does.
    const ours = names.filter((name) => name === 'apps' || name === 'vault.key').map((name) => join(draft, name));
    for (const path of [...ours, ...(made === undefined ? [] : [data])]) await chown(path, server.uid, server.gid);
    // Without apps there is nothing to run, so they come last.
    for (const name of names.sort((a, b) => Number(a === 'apps') - Number(b === 'apps')))
      await rename(join(draft, name), join(data, name));
    await rm(draft, { recursive: true });
    return facts;
  } catch (error) {
    await rm(parent ?? made ?? draft, { recursive: true, force: true });
    throw error;
  }
}

const CREATE = ['--numeric-owner', '--ignore-failed-read', '--warning=no-file-changed', '--warning=no-file-removed'];
/** tar's exit code where a file has changed or has gone while it was read: what was read is in the archive. */
const CHANGED = 1;

/** @param trees the file that lists what is read with all that is below it */
function from(data: string, trees: string): string[] {
  const lists = [
    '--null',
    '--verbatim-files-from',
    '--no-recursion',
    '--files-from=-',
    '--recursion',
    `--files-from=${trees}`,
  ];
  return [`--directory=${data}`, ...lists];
}

/** A path as tar reads it in a list. */
function ended(path: string): string {
  return `${path}\0`;
}

/** Runs tar to its end. @param fine the highest exit code that still means success */
async function through(
  tar: ReturnType<typeof spawn>,
  work: (done: AbortSignal) => Promise<void>,
  fine = 0,
): Promise<void> {
  const failed = new AbortController();
  let said = '';
  tar.stderr?.on('data', (bytes: Buffer) => (said = `${said}${bytes.toString('utf8')}`.slice(-2_000)));
  tar.once('error', (error) => failed.abort(error));
  const ended = once(tar, 'close') as Promise<[number | null]>;
  // Told below; where tar could not be started, by its error.
  ended.catch(() => undefined);
  try {
    await work(failed.signal);
    const [code] = await ended;
    if (code === null || code > fine) throw new Error(said.trim().split('\n').at(-1) ?? '');
  } catch (error) {
    tar.kill('SIGKILL');
    throw said === '' ? error : new Error(said.trim().split('\n').at(-1), { cause: error });
  }
}

/**
 * The paths of a backup below the data folder, in the order in which they are read; and those that tar walks by itself. What
 * an app can write is among these: it may put a link in a folder's place once we have seen the folder, which tar does not
 * follow.
 */
async function contents(data: string, key: boolean): Promise<{ names: string[]; trees: string[] }> {
  const [records, refs, rest, trees]: [string[], string[], string[], string[]] = [[], [], [], []];
  const files = [...FILES, ...(key ? SECRETS : [])];
  const there = new Set(await readdir(data));
  records.push(...files.filter((name) => there.has(name)));
  // Without files that are still being written.
  if (there.has('alerts')) await walk(data, 'alerts', records, (name) => !name.endsWith('.draft'));
  if (there.has('locks')) await walk(data, 'locks', rest, (name) => !name.endsWith('.draft'));
  if (there.has('audit')) await walkAudit(data, records);
  for (const app of there.has('apps') ? await readdir(join(data, 'apps')) : []) {
    const folder = join('apps', app);
    records.push(folder);
    for (const name of await readdir(join(data, folder)).catch(ifGone)) {
      const path = join(folder, name);
      if (name.startsWith('meta.')) records.push(path);
      else if (name === 'repo.git') await walkRepository(data, path, refs, rest);
      else if (name === 'releases') await walkReleases(data, path, rest);
      else if (name === STORAGE) trees.push(path);
      else if (!MADE_AGAIN.includes(name)) await walk(data, path, rest);
    }
  }
  return { names: [...records, ...refs, ...rest], trees };
}

/**
 * The parts of the audit log, the oldest first: that is the one that may go meanwhile, and the newest may grow. What is noted of
 * the whole log would be of another moment, and a server finds it out again.
 */
async function walkAudit(data: string, to: string[]): Promise<void> {
  const names = await readdir(join(data, 'audit'));
  const parts = names.filter((name) => name.endsWith('.jsonl')).sort();
  to.push('audit', ...parts.map((name) => join('audit', name)));
}

/** Objects come after all that may name them; those of packs that are being written are none yet. */
async function walkRepository(data: string, repository: string, refs: string[], rest: string[]): Promise<void> {
  refs.push(repository);
  for (const name of await readdir(join(data, repository)).catch(ifGone)) {
    const path = join(repository, name);
    if (name === 'objects') await walk(data, path, rest, (one) => !/^tmp_/.test(one));
    else await walk(data, path, refs, (one) => !one.endsWith('.lock'));
  }
}

async function walkReleases(data: string, releases: string, to: string[]): Promise<void> {
  to.push(releases);
  for (const number of await readdir(join(data, releases)).catch(ifGone))
    await walk(data, join(releases, number), to, (name) => name !== 'source');
}

/** Adds a file, or a folder with all that is below it. */
async function walk(data: string, path: string, to: string[], takes = (_name: string): boolean => true): Promise<void> {
  to.push(path);
  const entries = await readdir(join(data, path), { withFileTypes: true }).catch(ifGone);
  for (const entry of entries) {
    if (!takes(entry.name)) continue;
    const below = join(path, entry.name);
    if (entry.isDirectory()) await walk(data, below, to, takes);
    else if (entry.isFile() || entry.isSymbolicLink()) to.push(below);
  }
}

/** A file has nothing below it, and what is gone has not either. */
function ifGone(error: unknown): [] {
  if (hasCode(error, 'ENOENT') || hasCode(error, 'ENOTDIR')) return [];
  throw error;
}

async function readManifest(path: string): Promise<Manifest> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw unreadable('it is not a backup of streamlit-host', error);
  });
  const facts = manifest.parse(JSON.parse(text));
  if (facts.format > FORMAT) throw unreadable('a newer version of streamlit-host wrote it', undefined);
  return facts;
}

function unreadable(why: string, cause: unknown): Refusal {
  return new Refusal('invalid', 'backup-unreadable', `The backup cannot be read: ${why}.`, { cause });
}
