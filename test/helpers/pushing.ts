import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readdir, readFile, readlink, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { endWithFile } from './ends.js';
import { ROOT, SHARED, TOKEN, until, type TestHost } from './host.js';
import { Project, run, type Outcome } from './project.js';
import { StreamlitClient } from './streamlit-client.js';

/** A `git push` that goes on, as its pusher sees it. */
export interface Pushing {
  /** What it printed so far. */
  readonly output: string;
  /** True until it has ended. */
  readonly running: boolean;
  readonly done: Promise<Outcome>;
  /** Waits for a text on the terminal. */
  says(text: string): Promise<void>;
  /** Ends git and all its helpers at once, as when the pusher's machine loses power. */
  kill(): Promise<void>;
}

/** Pushes a branch, which must make its app live. */
export async function pushLive(project: Project, host: TestHost, id: string, branch = 'main'): Promise<void> {
  const { code, output } = await project.git('push', host.remote(id), branch);
  expect(output).toContain(`${id} is live`);
  expect(code, output).toBe(0);
}

/** Begins a push and does not wait for its end. */
export function startPush(project: Project, host: TestHost, id: string, ...what: string[]): Pushing {
  const child = spawn('git', ['push', '--progress', host.remote(id), ...(what.length === 0 ? ['main'] : what)], {
    cwd: project.folder,
    env: { ...process.env, GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_NOSYSTEM: '1', GIT_TERMINAL_PROMPT: '0' },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  let output = '';
  let running = true;
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const done = once(child, 'close').then(([code]) => {
    running = false;
    return { code: typeof code === 'number' ? code : 1, output };
  });
  return {
    get output() {
      return output;
    },
    get running() {
      return running;
    },
    done,
    async says(text) {
      await until(`"${text}" in:\n${output}`, () => {
        if (!running && !output.includes(text)) throw new Error(`the push ended without "${text}":\n${output}`);
        return output.includes(text);
      });
    },
    async kill() {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
      await done;
    },
  };
}

/** A project made of one of the apps in test/fixtures/apps. */
export function fixture(name: string): Promise<Project> {
  return Project.copyOf(join(ROOT, 'test', 'fixtures', 'apps', name));
}

/** By which a slow fixture says that it has begun, and is told to go on. */
export class Signals {
  readonly begun: string;
  readonly #go: string;

  constructor(folder: string) {
    this.begun = join(folder, 'begun');
    this.#go = join(folder, 'go');
  }

  static async create(): Promise<Signals> {
    await mkdir(SHARED, { recursive: true });
    const folder = await mkdtemp(join(SHARED, 'signals-'));
    endWithFile(() => rm(folder, { recursive: true, force: true }));
    // For whatever user an app or a build is.
    await chmod(folder, 0o777);
    return new Signals(folder);
  }

  /** What a slow fixture reads. */
  get text(): string {
    return `${this.begun}\n${this.#go}\n`;
  }

  /** Waits until it has begun. @returns what it wrote: a file that the build holds open, nothing of a script */
  hasBegun(): Promise<{ said: string }> {
    return until('the fixture has begun', () =>
      readFile(this.begun, 'utf8').then(
        (said) => ({ said }),
        () => undefined,
      ),
    );
  }

  async go(): Promise<void> {
    await writeFile(this.#go, '');
  }
}

/** What a visitor's page gets to see: all that Streamlit sends until the script has run, as one text. */
export async function visit(host: TestHost, id: string): Promise<string> {
  const page = await fetch(`${host.url}/apps/${id}/`);
  if (page.status !== 200) throw new Error(`the page of ${id} answers ${page.status}`);
  await page.arrayBuffer();
  const client = await StreamlitClient.connect(`${host.url}/apps/${id}/`);
  try {
    await client.run('', { limitMs: 15_000 });
    return client.received.toString('utf8');
  } finally {
    await client.close();
  }
}

/** The commit of a ref in the app's repository on the server; undefined where there is none. */
export async function refOf(host: TestHost, id: string, ref = 'refs/heads/main'): Promise<string | undefined> {
  const found = await run(
    'git',
    ['-C', join(host.data, 'apps', id, 'repo.git'), 'rev-parse', '--verify', '--quiet', ref],
    tmpdir(),
  );
  return found.code === 0 ? found.output.trim() : undefined;
}

/** What must not change while something else fails: which release serves, in which process, and what a clone gets. */
export async function serves(
  host: TestHost,
  id: string,
): Promise<{ release: unknown; pid: unknown; state: unknown; ref: string | undefined; text: string }> {
  const { release, pid, state } = await host.app(id);
  return { release, pid, state, ref: await refOf(host, id), text: textOf(await visit(host, id)) };
}

/** The text of a `textApp` in what a page got to see. */
function textOf(seen: string): string {
  return /text:[a-z0-9-]+/.exec(seen)?.[0] ?? '';
}

/** True where any process of the machine has this in its environment, which all children of one server's builds have. */
export async function processesWith(text: string): Promise<number[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const found = await Promise.all(
    pids.map(async (pid) => {
      // What a cage puts around a process is no process of the app's.
      const name = await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '');
      if (name === 'bwrap\n') return [];
      const parts = await Promise.all(
        ['environ', 'cmdline'].map((file) => readFile(`/proc/${pid}/${file}`, 'latin1').catch(() => '')),
      );
      return pid !== process.pid && parts.some((part) => part.includes(text)) ? [pid] : [];
    }),
  );
  return found.flat();
}

/**
 * The numbers that processes have on the machine, by those that an app knows in its cage.
 * @param pid the app's own process, by its number on the machine
 */
export async function onMachine(pid: number, known: readonly number[]): Promise<number[]> {
  const space = (of: number | string): Promise<string> => readlink(`/proc/${of}/ns/pid`).catch(() => '');
  const own = await space(pid);
  const numbers = new Map<number, number>();
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name) || (await space(name)) !== own) continue;
    const status = await readFile(`/proc/${name}/status`, 'utf8').catch(() => '');
    numbers.set(Number(/^NSpid:.*\t(\d+)$/m.exec(status)?.[1]), Number(name));
  }
  return known.map((one) => numbers.get(one) ?? 0);
}

/** The Authorization header of git with the token. */
export const BASIC = `Basic ${Buffer.from(`x:${TOKEN}`).toString('base64')}`;

/** A commit with everything below it, as a pack. */
export function packOf(project: Project, commit: string): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const argv = ['pack-objects', '--revs', '--stdout', '-q'];
    const child = execFile(
      'git',
      argv,
      { cwd: project.folder, encoding: 'buffer', maxBuffer: 256 * 1024 * 1024 },
      (error, stdout) =>
        error === null ? resolve(stdout) : reject(new Error('git pack-objects failed', { cause: error })),
    );
    child.stdin?.end(`${commit}\n`);
  });
}
