import type { ChildProcess } from 'node:child_process';
import { chown, mkdtemp, realpath, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Duplex, Readable, Writable } from 'node:stream';
import { DevTools } from './devtools.js';
import { findProgram } from '../lib/find-program.js';
import { lower } from '../lib/priority.js';
import { endMarked, MARK } from '../runtime/process/marked.js';
import { DESCRIPTOR, giveOrder } from '../runtime/process/cage/order.js';
import type { Caged, CageSpec } from '../runtime/process/cage/spec.js';
import { endCaged } from '../runtime/process/group.js';
import { descendantOf, startTimeOf, type ProcessIdentity } from '../runtime/process/proc.js';
import { spawn } from '../lib/spawn.js';

const NAMES = ['chromium-headless-shell', 'chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
/** How long its processes may take to end after TERM, in ms. */
const GRACE_MS = 1_000;

/** What a Chromium is put into. */
export interface PictureCage {
  wrap: (spec: CageSpec) => Caged;
  /** The machine's Python that puts the cage on. */
  python: string;
  /** The user that it becomes; undefined where that is the server's own. */
  uid: number | undefined;
  /** True where Chromium's own sandbox, which needs user namespaces, works inside as well. */
  sandbox: boolean;
}

/** A Chromium on the path of programs; undefined where there is none. */
export async function findChromium(path: string): Promise<string | undefined> {
  return findProgram(NAMES, path);
}

export interface ChromiumOptions {
  /** The program. */
  file: string;
  /** PATH for it. */
  path: string;
  /** The folder for its profile, which lasts as long as it. */
  tmp: string;
  /** By which it and all of its children are known; nothing else may have it. */
  mark: string;
  /** The one host and port that it can connect to, whatever a page asks for. */
  only: string;
  /** Nothing where there is none. */
  cage: PictureCage | undefined;
}

/** A Chromium of our own without a window: it runs with low priority, connects to one place only, and leaves nothing behind. */
export class Chromium {
  readonly devtools: DevTools;
  readonly #options: ChromiumOptions;
  readonly #leader: ProcessIdentity;
  readonly #around: number;
  readonly #profile: string;
  #ending: Promise<void> | undefined;

  private constructor(
    options: ChromiumOptions,
    leader: ProcessIdentity,
    around: number,
    profile: string,
    devtools: DevTools,
  ) {
    this.#options = options;
    this.#leader = leader;
    this.#around = around;
    this.#profile = profile;
    this.devtools = devtools;
  }

  /** @throws Error where it cannot be started */
  static async start(options: ChromiumOptions): Promise<Chromium> {
    const profile = await mkdtemp(join(options.tmp, 'chromium-'));
    try {
      if (options.cage?.uid !== undefined) await chown(profile, options.cage.uid, options.cage.uid);
      const { child, around } = await spawned(options, profile);
      const pid = child.pid ?? 0;
      const devtools = new DevTools(child.stdin as Writable, child.stdout as Readable);
      child.once('exit', () => devtools.close());
      return new Chromium(options, { pid, startTime: startTimeOf(pid) ?? '' }, around, profile, devtools);
    } catch (error) {
      await rm(profile, { recursive: true, force: true });
      throw error;
    }
  }

  /** Ends it with everything that it has started, and removes its profile. */
  async end(): Promise<void> {
    this.#ending ??= this.#end();
    await this.#ending;
  }

  async #end(): Promise<void> {
    this.devtools.close();
    await endCaged(this.#leader, this.#around, GRACE_MS);
    await endMarked(this.#options.mark, new Set());
    await rm(this.#profile, { recursive: true, force: true, maxRetries: 3 });
  }
}

/**
 * Chromium speaks over the descriptors 3 and 4 (https://chromedevtools.github.io/devtools-protocol/), and a cage closes all but
 * the first three. The program, its options and its places are arguments; nothing of them is read as a script.
 */
const TO_PIPES = ['/bin/sh', '-c', 'exec "$@" 3<&0 4>&1 </dev/null >/dev/null 2>&1', 'sh'];

async function spawned(
  { file, path, mark, only, cage }: ChromiumOptions,
  profile: string,
): Promise<{ child: ChildProcess; around: number }> {
  const command = [...TO_PIPES, file, ...switches(profile, only, cage)];
  const environment = { PATH: path, HOME: profile, LANG: 'C.UTF-8', [MARK]: mark };
  const caged = cage?.wrap({
    command,
    cwd: '/',
    environment,
    python: cage.python,
    readOnly: [dirname(await realpath(file))],
    writable: [profile],
    tmp: profile,
    uid: cage.uid,
    // Without them, it does not start.
    unixSockets: true,
    userNamespaces: cage.sandbox,
  });
  const [program = '', ...args] = caged?.command ?? command;
  const child = spawn(program, args, {
    cwd: '/',
    // A group of its own, so that it can be ended as a whole.
    detached: true,
    env: caged === undefined ? environment : { [MARK]: mark },
    stdio: ['pipe', 'pipe', 'ignore', ...(caged === undefined ? [] : ['pipe' as const])],
  });
  lower(child.pid, 'picture');
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', reject);
  });
  if (caged === undefined) return { child, around: 0 };
  // Where it cannot be made, the browser is gone at once.
  if (await giveOrder(child.stdio[DESCRIPTOR] as Duplex, caged.order))
    lower(await descendantOf(child.pid ?? 0, caged.around), 'picture');
  return { child, around: caged.around };
}

/** @see https://peter.sh/experiments/chromium-command-line-switches/ */
function switches(profile: string, only: string, cage: PictureCage | undefined): string[] {
  return [
    '--headless',
    '--remote-debugging-pipe',
    `--user-data-dir=${profile}`,
    // Every name and every address leads to the one place, and what speaks UDP leads nowhere.
    `--host-resolver-rules=MAP * ${only}`,
    '--no-proxy-server',
    '--disable-quic',
    '--force-webrtc-ip-handling-policy=disable_non_proxied_udp',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-default-apps',
    '--disable-extensions',
    '--disable-sync',
    '--disable-breakpad',
    '--block-new-web-contents',
    '--no-first-run',
    '--no-default-browser-check',
    '--disable-gpu',
    // A container's shared memory is small.
    '--disable-dev-shm-usage',
    '--hide-scrollbars',
    '--mute-audio',
    '--password-store=basic',
    // Its sandbox cannot be made by root, nor in every cage; everybody else gets it, or no picture.
    ...((cage === undefined ? process.getuid?.() !== 0 : cage.sandbox) ? [] : ['--no-sandbox']),
  ];
}
