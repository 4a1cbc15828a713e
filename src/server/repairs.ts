import { constants, lstat, open, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { hasCode, messageOf } from '../errors.js';
import { draftsIn } from '../lib/replace-file.js';
import { removeLeftover } from '../store/leftovers.js';
import type { Paths } from '../store/paths.js';

/** After how long (ms) a half-written copy of a small file is not written any more. */
const DRAFT_MS = 60 * 60_000;
/** After how long (ms) nothing works in a temporary folder any more: builds, uploads and backups take hours at most. */
const WORK_MS = 24 * 3_600_000;

/** Something on the disk that the server can put right without losing anything. */
export interface Finding {
  path: string;
  /** A mode that lets others read it, or what a git command or other work has left where it was interrupted. */
  kind: 'open' | 'git' | 'work';
}

/** What came of putting one thing right. */
export interface RepairResult {
  ok: boolean;
  /** One sentence. */
  message: string;
}

export interface RepairsOptions {
  paths: Paths;
  /** What interrupted git commands have left in the repositories. */
  gitLeftovers: () => Promise<string[]>;
  uid?: number | undefined;
}

const DONE: Record<Finding['kind'], (path: string) => string> = {
  open: (path) => `Only the server can read ${path} now.`,
  git: (path) => `Deleted ${path}, left by an interrupted git command.`,
  work: (path) => `Deleted ${path}, left by interrupted work.`,
};

/** Finds what is not as it must be in the data folder, and puts it right when somebody asks for that. */
export class Repairs {
  readonly #options: RepairsOptions;

  constructor(options: RepairsOptions) {
    this.#options = { uid: process.getuid?.(), ...options };
  }

  /** Looks, and changes nothing. */
  async find(): Promise<Finding[]> {
    const as = (kind: Finding['kind'], paths: string[]): Finding[] => paths.map((path) => ({ path, kind }));
    const [opened, git, work] = await Promise.all([this.#opened(), this.#options.gitLeftovers(), this.#work()]);
    return [...as('open', opened), ...as('git', git), ...as('work', work)];
  }

  /** Puts everything right that it finds. What cannot be done keeps nothing else from being done. */
  async fix(): Promise<RepairResult[]> {
    const results: RepairResult[] = [];
    for (const { path, kind } of await this.find()) {
      try {
        await (kind === 'open' ? this.#close(path) : removeLeftover(path));
        results.push({ ok: true, message: DONE[kind](path) });
      } catch (error) {
        results.push({ ok: false, message: `${path} could not be repaired: ${messageOf(error)}.` });
      }
    }
    return results;
  }

  /** What others may read, and only the server may. Files of another user are left to the operator. */
  async #opened(): Promise<string[]> {
    const { paths, uid } = this.#options;
    const found: string[] = [];
    for (const path of privatePaths(paths)) {
      // The data folder itself may be a link.
      const facts = await (path === paths.data ? stat(path) : lstat(path)).catch(ifMissing);
      if (facts === undefined || facts.isSymbolicLink() || (facts.mode & 0o077) === 0) continue;
      if (uid === undefined || facts.uid === uid) found.push(path);
    }
    return found;
  }

  /** Takes it from all others. What a link leads to, which has taken its place, is left alone. */
  async #close(path: string): Promise<void> {
    const follow = path === this.#options.paths.data ? 0 : constants.O_NOFOLLOW;
    const handle = await open(path, constants.O_RDONLY | follow);
    try {
      await handle.chmod((await handle.stat()).mode & 0o700);
    } finally {
      await handle.close();
    }
  }

  async #work(): Promise<string[]> {
    const { paths } = this.#options;
    const apps = (await readdir(paths.apps).catch(ifMissing)) ?? [];
    const folders = [paths.data, paths.run, paths.alerts, paths.audit, paths.metrics, paths.metricErrors];
    const drafts = await Promise.all([...folders, ...apps.map((id) => paths.app(id))].map(draftsIn));
    const work = await Promise.all(
      [paths.tmp, paths.drafts].map(async (folder) =>
        ((await readdir(folder).catch(ifMissing)) ?? []).map((name) => join(folder, name)),
      ),
    );
    return [...(await olderThan(DRAFT_MS, drafts.flat())), ...(await olderThan(WORK_MS, work.flat()))];
  }
}

/** What only the server may read. */
export function privatePaths(
  paths: Pick<Paths, 'data' | 'adminToken' | 'vaultKey' | 'users' | 'tokens' | 'sessions'>,
): string[] {
  return [paths.data, paths.adminToken, paths.vaultKey, paths.users, paths.tokens, paths.sessions];
}

async function olderThan(ms: number, paths: string[]): Promise<string[]> {
  const before = Date.now() - ms;
  const times = await Promise.all(paths.map((path) => lstat(path).then(({ mtimeMs }) => mtimeMs, ifMissing)));
  return paths.filter((_, place) => (times[place] ?? Infinity) < before);
}

/** It went a moment ago, or was never there. */
function ifMissing(error: unknown): undefined {
  if (!hasCode(error, 'ENOENT') && !hasCode(error, 'ENOTDIR')) throw error;
}
