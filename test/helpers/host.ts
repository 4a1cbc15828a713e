import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { mkdir, readdir, readFile, rm, stat, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { inject } from 'vitest';
import { endWithFile, scratch } from './ends.js';

export const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
/** A folder that apps may use from within their cages, to tell a test how far they are. */
export const SHARED = join(ROOT, 'data/test-shared');
/** The admin token of every host in the tests. */
export const TOKEN = 'a-token-for-the-tests-only';

export interface HostOptions {
  /** Added to the server's environment; undefined removes a variable. */
  env?: Record<string, string | undefined>;
  /** The data folder of an earlier host, to be served again. */
  data?: string;
  /**
   * Which environments a new data folder begins with: those that all hosts of the tests share (default), or copies of those
   * that were used last, for a test that changes them.
   */
  environments?: 'shared' | 'own';
  /** The folder of another version of the program, built. */
  program?: string;
  /** What starts the server in its own place, such as a shell that sets a limit first. */
  under?: readonly string[];
}

/** A real server in a process of its own, with a data folder of its own and a private Redis. */
export class TestHost {
  readonly data: string;
  readonly url: string;
  /** The one-use login link that it printed. */
  readonly loginUrl: string;
  readonly #child: ChildProcess;
  readonly #exited: Promise<number | null>;
  #output: string;

  constructor(parts: {
    data: string;
    url: string;
    loginUrl: string;
    child: ChildProcess;
    exited: Promise<number | null>;
    output: string;
  }) {
    this.data = parts.data;
    this.url = parts.url;
    this.loginUrl = parts.loginUrl;
    this.#child = parts.child;
    this.#exited = parts.exited;
    this.#output = parts.output;
    parts.child.stdout?.on('data', (chunk: Buffer) => (this.#output += chunk.toString()));
    parts.child.stderr?.on('data', (chunk: Buffer) => (this.#output += chunk.toString()));
  }

  /** Everything that the server printed. */
  get output(): string {
    return this.#output;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Asks the API with the token. */
  async api(path: string, init: RequestInit = {}): Promise<Response> {
    const headers = new Headers(init.headers);
    headers.set('authorization', `Bearer ${TOKEN}`);
    return fetch(`${this.url}/api${path}`, { ...init, headers });
  }

  /** Sends the API what it reads as JSON. */
  async send(method: string, path: string, body: object): Promise<Response> {
    return this.api(path, { method, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
  }

  /** What the API says of an app. */
  async app(id: string): Promise<Record<string, unknown>> {
    const answer = await this.api(`/apps/${id}`);
    return (await answer.json()) as Record<string, unknown>;
  }

  /** The address to push to, with the token in it. */
  remote(id: string): string {
    return `${this.url.replace('http://', `http://x:${TOKEN}@`)}/git/${id}.git`;
  }

  /** Sends the signal and waits for the end. */
  async signal(signal: NodeJS.Signals): Promise<number | null> {
    this.#child.kill(signal);
    return this.#exited;
  }

  /** Ends the server and its apps. The data folder stays where it is to be used again. */
  async stop(options: { keepData?: boolean; keepApps?: boolean } = {}): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const ask = (): Promise<unknown> => this.send('POST', '/server/stop', { keep_apps: options.keepApps === true });
      // The connection that was kept may be closed in this very moment. A server that is killed leaves all that it has started.
      await ask()
        .catch(ask)
        .catch(() => this.#child.kill('SIGKILL'));
      await this.#exited;
    }
    if (options.keepData !== true) await rm(this.data, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** Starts a server and waits until it says where it is. It ends with the test file, with its apps and its data folder. */
export async function startHost(options: HostOptions = {}): Promise<TestHost> {
  const data = options.data ?? (await scratch('streamlit-host-'));
  await mkdir(data, { recursive: true });
  const tools = inject('tools');
  await mkdir(SHARED, { recursive: true });
  if (options.data === undefined) {
    await lendEnvironments(data, options.environments ?? 'shared');
  }
  const script = `const { main } = await import(${JSON.stringify(join(options.program ?? ROOT, 'dist/main.js'))}); await main();`;
  const [command, ...argv] = [...(options.under ?? []), process.execPath, '--input-type=module', '-e', script];
  const child = spawn(command ?? '', argv, {
    cwd: data,
    env: {
      ...process.env,
      STREAMLIT_HOST_PORT: '0',
      ...appPorts(),
      STREAMLIT_HOST_DATA: data,
      STREAMLIT_HOST_TOKEN: TOKEN,
      // Only the test that is about them waits for pictures.
      STREAMLIT_HOST_PICTURES: 'off',
      // Every test would install Streamlit, and few push an app that needs it.
      STREAMLIT_HOST_PREBUILD: 'off',
      PATH: [...(tools.uv === undefined ? [] : [dirname(tools.uv)]), ...tools.redisDirs, process.env.PATH].join(':'),
      REDIS_URL: '',
      STREAMLIT_HOST_CAGE_FOLDERS: SHARED,
      UV_CACHE_DIR: tools.cacheDir,
      ...options.env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const exited = new Promise<number | null>((resolve) => child.once('exit', resolve));
  let output = '';
  const login = await new Promise<string>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`the server said nothing of an address:\n${output}`)), 60_000);
    const hear = (chunk: Buffer): void => {
      output += chunk.toString();
      const found = /(https?:\/\/\S+\/console\/login\?code=\S+)/.exec(output);
      if (found?.[1] === undefined) return;
      clearTimeout(timer);
      child.stdout.off('data', hear);
      child.stderr.off('data', hear);
      resolve(found[1]);
    };
    child.stdout.on('data', hear);
    child.stderr.on('data', hear);
    void exited.then((code) => {
      clearTimeout(timer);
      reject(new Error(`the server ended with ${code}:\n${output}`));
    });
  });
  // Under https, this side of the proxy.
  const url = login.startsWith('https:')
    ? `http://localhost:${options.env?.STREAMLIT_HOST_PORT}`
    : new URL(login).origin;
  const host = new TestHost({ data, url, loginUrl: login, child, exited, output });
  endWithFile(async () => {
    await host.stop();
    // What Node warns of is a fault of the server; an older version's are its own.
    const warning = /^\(node:\d+\).*/m.exec(host.output)?.[0];
    if (warning !== undefined && options.program === undefined) throw new Error(`the server warned: ${warning}`);
  });
  return host;
}

/** How many environments a host is given as its own: what most tests need is among them. */
const LENT = 2;

/**
 * Gives a data folder environments. An environment has thousands of files, so that even hard links to them take longer than
 * the start of a host; hosts that only use them share one folder, as the releases of one host do.
 */
async function lendEnvironments(data: string, which: 'shared' | 'own'): Promise<void> {
  const { environments } = inject('tools');
  if (which === 'shared') return symlink(environments, join(data, 'environments'));
  await mkdir(join(data, 'environments'));
  const found = await Promise.all(
    (await readdir(environments)).map(async (name) => ({ name, at: (await stat(join(environments, name))).mtimeMs })),
  );
  const newest = found.sort((one, other) => other.at - one.at).slice(0, LENT);
  for (const { name } of newest) await linkTree(join(environments, name), join(data, 'environments', name));
}

/** A copy in hard links: an environment never changes, so sharing its files is safe. */
async function linkTree(from: string, to: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    execFile('cp', ['-al', from, to], (error) => {
      if (error === null) resolve();
      else reject(new Error(`cp ended with ${String(error.code)}`));
    });
  });
}

/** A range of ports that other hosts of the tests are not likely to use at the same time. */
function appPorts(): Record<string, string> {
  const min = 11_000 + Math.floor(Math.random() * 180) * 100;
  return { STREAMLIT_HOST_PORT_MIN: String(min), STREAMLIT_HOST_PORT_MAX: String(min + 99) };
}

/** The record of an app as it is on disk. */
export async function readMeta(host: TestHost, id: string): Promise<Record<string, unknown>> {
  return JSON.parse(await readFile(join(host.data, 'apps', id, 'meta.json'), 'utf8')) as Record<string, unknown>;
}

/** Waits until a condition holds, asking often. */
export async function until<T>(
  what: string,
  ask: () => Promise<T | undefined | false> | T | undefined | false,
  limitMs = 60_000,
): Promise<T> {
  const deadline = Date.now() + limitMs;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined && answer !== false) return answer;
    if (Date.now() > deadline) throw new Error(`waited ${limitMs} ms in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}
