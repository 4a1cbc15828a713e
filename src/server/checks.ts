import { stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { unsafeOrigin } from '../domain/access/origins.js';
import { hasCode, messageOf, Refusal } from '../errors.js';
import type { Readiness } from '../lib/readiness.js';
import { asSentence } from '../lib/words.js';
import type { Cage } from '../runtime/process/cage/cage.js';
import type { Paths } from '../store/paths.js';
import { canWrite } from './later.js';
import { privatePaths, type Repairs } from './repairs.js';
import type { OpenedRuntime } from './runtime.js';

/** How long a check may take, in ms: as long as three tries of a cage. */
const LIMIT_MS = 40_000;

/** What is said of the parts without which nothing is deployed, where nothing is wrong with them. */
const READY = {
  redis: 'Redis answers, and keeps what is queued.',
  disk: 'The disk has room for deploys.',
  supervisor: 'The supervisor is running.',
};

/** Tries something. @returns what it found, in one sentence @throws Error with what is wrong and what to do */
export type Check = () => Promise<string> | string;

/** What came of a check. */
export interface CheckResult {
  name: string;
  ok: boolean;
  /** One sentence or two. */
  message: string;
}

export interface ChecksOptions {
  cage: Pick<Cage, 'kind' | 'sentence' | 'tryAgain'>;
  running: Pick<OpenedRuntime, 'facts' | 'check'>;
  paths: Pick<Paths, 'data' | 'adminToken' | 'vaultKey' | 'users' | 'tokens' | 'sessions'>;
  /** True where apps can use the console. */
  unsafe: boolean;
  publicBase: () => string;
  appsBase: () => string;
  /** Says what keeps deploys from being run. */
  readiness: Pick<Readiness, 'troubles'>;
  /** Finds what can be put right. */
  repairs: Pick<Repairs, 'find'>;
  uid?: number | undefined;
}

/** The checks of a server, by name, in the order in which they are shown. */
export function checksOf(options: ChecksOptions): ReadonlyMap<string, Check> {
  const { cage, running, publicBase, appsBase, unsafe, readiness, uid = process.getuid?.() } = options;
  return new Map<string, Check>([
    [
      'cage',
      async () => {
        if (cage.kind === 'none') throw problem(cage.sentence);
        await cage.tryAgain();
        return cage.sentence;
      },
    ],
    ['runtime', () => running.check()],
    [
      'user',
      () => {
        const contained = running.facts().kind !== 'process';
        if (uid === 0 && cage.kind === 'none' && !contained)
          throw problem('The server and all apps run as root. Run the server as another user, or make a cage work.');
        return uid === 0
          ? `The server runs as root, and apps in ${contained ? 'containers' : 'a cage'}.`
          : 'The server does not run as root.';
      },
    ],
    [
      'origin',
      () => {
        if (unsafe) throw problem(unsafeOrigin(publicBase()));
        return appsBase() === publicBase()
          ? `Apps share the console’s origin, ${publicBase()}, where browsers keep them apart.`
          : `Apps have their own origin, ${appsBase()}.`;
      },
    ],
    ['data', () => checkData(options.paths, uid)],
    ['leftovers', () => checkLeftovers(options.repairs)],
    ...Object.entries(READY).map(([part, fine]): [string, Check] => [
      part,
      async () => {
        const trouble = (await readiness.troubles()).find((one) => one.part === part);
        if (trouble !== undefined) throw problem(trouble.message);
        return fine;
      },
    ]),
  ]);
}

/** Runs all checks at once. One that takes too long counts as failed. */
export async function runChecks(checks: ReadonlyMap<string, Check>, limitMs = LIMIT_MS): Promise<CheckResult[]> {
  return Promise.all([...checks].map(([name, check]) => runCheck(name, check, limitMs)));
}

async function runCheck(name: string, check: Check, limitMs: number): Promise<CheckResult> {
  const done = new AbortController();
  const late = sleep(limitMs, undefined, { signal: done.signal }).then(
    () => Promise.reject(problem(`The check took longer than ${limitMs / 1_000} s.`)),
    () => '', // The check was faster.
  );
  try {
    return { name, ok: true, message: await Promise.race([Promise.resolve().then(check), late]) };
  } catch (error) {
    return { name, ok: false, message: asSentence(messageOf(error)) };
  } finally {
    done.abort();
  }
}

/** Who may read what only the server may, and whether it can be written. */
async function checkData(paths: ChecksOptions['paths'], uid: number | undefined): Promise<string> {
  const { data } = paths;
  for (const path of privatePaths(paths)) {
    const facts = await stat(path).catch(ifMissing);
    if (facts === undefined) continue;
    if (uid !== undefined && facts.uid !== uid)
      throw problem(`${path} belongs to user ${facts.uid}, and the server runs as ${uid}. Change its owner.`);
    if ((facts.mode & 0o077) !== 0)
      throw problem(`Other users of the machine can read ${path}. Run "streamlit-host doctor --fix".`);
  }
  if (!(await canWrite(data))) throw problem(`The data folder ${data} cannot be written. Is the disk full?`);
  return `Only the server can read the data folder ${data}, and it can be written.`;
}

/** What interrupted work has left for so long that nothing needs it any more. */
async function checkLeftovers(repairs: Pick<Repairs, 'find'>): Promise<string> {
  const [first, ...more] = (await repairs.find()).filter(({ kind }) => kind !== 'open');
  if (first === undefined) return 'Interrupted work has left nothing behind.';
  const what = more.length === 0 ? first.path : `${more.length + 1} files and folders, such as ${first.path}`;
  throw problem(`Interrupted work has left ${what}. Run "streamlit-host doctor --fix".`);
}

function ifMissing(error: unknown): undefined {
  if (!hasCode(error, 'ENOENT')) throw error;
}

function problem(sentence: string): Refusal {
  return new Refusal('unavailable', 'check-failed', sentence);
}
