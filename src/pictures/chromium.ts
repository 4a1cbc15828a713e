import { spawn, type ChildProcess } from 'node:child_process';
import { access, constants, mkdtemp, rm } from 'node:fs/promises';
import { delimiter, isAbsolute, join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { DevTools } from './devtools.js';
import { lower } from '../lib/priority.js';
import { endMarked, MARK } from '../runtime/process/marked.js';
import { endGroup } from '../runtime/process/group.js';
import { startTimeOf, type ProcessIdentity } from '../runtime/process/proc.js';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
/** How long its processes may take to end after TERM, in ms. */
const GRACE_MS = 1_000;

/** A Chromium on the path of programs; undefined where there is none. */
export async function findChromium(path: string): Promise<string | undefined> {
  for (const folder of path.split(delimiter).filter(isAbsolute)) {
    for (const name of NAMES) {
      const file = join(folder, name);
      if (
        await access(file, constants.X_OK).then(
          () => true,
          () => false,
        )
      )
        return file;
    }
  }
  return undefined;
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
}

/** A Chromium of our own without a window: it runs with low priority, connects to one place only, and leaves nothing behind. */
export class Chromium {
  readonly devtools: DevTools;
  readonly #options: ChromiumOptions;
  readonly #leader: ProcessIdentity;
  readonly #profile: string;
  #ending: Promise<void> | undefined;

  private constructor(options: ChromiumOptions, leader: ProcessIdentity, profile: string, devtools: DevTools) {
    this.#options = options;
    this.#leader = leader;
    this.#profile = profile;
    this.devtools = devtools;
  }

  /** @throws Error where it cannot be started */
  static async start(options: ChromiumOptions): Promise<Chromium> {
    const profile = await mkdtemp(join(options.tmp, 'chromium-'));
    try {
      const child = await spawned(options, profile);
      const pid = child.pid ?? 0;
      const [, , , to, from] = child.stdio;
      const devtools = new DevTools(to as Writable, from as Readable);
      child.once('exit', () => devtools.close());
      return new Chromium(options, { pid, startTime: startTimeOf(pid) ?? '' }, profile, devtools);
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
    await endGroup(this.#leader, GRACE_MS);
    await endMarked(this.#options.mark, new Set());
    await rm(this.#profile, { recursive: true, force: true, maxRetries: 3 });
  }
}

async function spawned({ file, path, mark, only }: ChromiumOptions, profile: string): Promise<ChildProcess> {
  const child = spawn(file, switches(profile, only), {
    cwd: profile,
    // A group of its own, so that it can be ended as a whole.
    detached: true,
    env: { PATH: path, HOME: profile, LANG: 'C.UTF-8', [MARK]: mark },
    stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'],
  });
  lower(child.pid, 'picture');
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', reject);
  });
  return child;
}

/** @see https://peter.sh/experiments/chromium-command-line-switches/ */
function switches(profile: string, only: string): string[] {
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
    // Its sandbox cannot be made by root; everybody else gets it, or no picture.
    ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
  ];
}
