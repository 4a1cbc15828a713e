// A server of a benchmark's own, with its data folder, and those who push to it.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT, setUp } from '../../scripts/lib/setup.js';
import { runToEnd } from '../measure.js';

const TOKEN = 'a-token-for-the-benchmark-only';
/** How long a start of the server may take, in ms. */
const START_MS = 60_000;

export class BenchHost {
  url = '';
  #child;
  #work;
  #env;

  /** Makes everything ready and starts the server. @param settings are added to its environment */
  static async start(settings = {}) {
    const { uv } = await setUp({ data: join(ROOT, 'data') });
    const host = new BenchHost();
    host.#work = await mkdtemp(join(tmpdir(), 'bench-'));
    const folders = [...(uv === undefined ? [] : [join(uv, '..')]), join(ROOT, 'data/tools/bin')];
    host.#env = {
      ...process.env,
      PATH: [...folders, process.env.PATH].join(':'),
      STREAMLIT_HOST_PORT: '0',
      STREAMLIT_HOST_DATA: host.data,
      STREAMLIT_HOST_TOKEN: TOKEN,
      STREAMLIT_HOST_PICTURES: 'off',
      STREAMLIT_HOST_PREBUILD: 'off',
      STREAMLIT_HOST_LOG_LEVEL: 'warn',
      REDIS_URL: '',
      UV_CACHE_DIR: join(host.#work, 'uv-cache'),
      ...settings,
    };
    await mkdir(host.data);
    await host.begin();
    // Its apps would outlive a benchmark that is interrupted.
    for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => host.stop().finally(() => process.exit(1)));
    return host;
  }

  get data() {
    return join(this.#work, 'data');
  }

  get pid() {
    return this.#child.pid;
  }

  /** Starts the server, at the address where it was before. */
  async begin() {
    if (this.url !== '') this.#env.STREAMLIT_HOST_PORT = new URL(this.url).port;
    const code = `const { main } = await import(${JSON.stringify(join(ROOT, 'dist/main.js'))}); await main();`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', code], {
      cwd: this.#work,
      env: this.#env,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.#child = child;
    this.url = await new Promise((resolve, reject) => {
      let output = '';
      const fail = () => reject(new Error(`the server did not start:\n${output}`));
      const limit = setTimeout(fail, START_MS);
      child.once('exit', fail);
      child.stdout.on('data', (chunk) => {
        output = (output + chunk).slice(-10_000);
        const found = /(http:\S+)\/console\/login/.exec(output);
        if (found === null) return;
        clearTimeout(limit);
        child.off('exit', fail);
        resolve(found[1]);
      });
    });
  }

  /** Ends the server as a crash does; its apps go on. */
  async kill() {
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await ended;
  }

  /** Ends the server, its apps and its folder. */
  async stop() {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const ended = once(this.#child, 'exit');
      await this.ask('POST', '/server/stop', { keep_apps: false });
      await ended;
    }
    await rm(this.#work, { recursive: true, force: true, maxRetries: 5 });
  }

  /** Asks the API. @returns what it answers */
  async ask(method, path, body) {
    const answer = await fetch(`${this.url}/api${path}`, {
      method,
      headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
    const text = await answer.text();
    return text === '' ? undefined : JSON.parse(text);
  }

  /** A repository with these files, to be pushed as an app. */
  async project(files) {
    const folder = await mkdtemp(join(this.#work, 'project-'));
    await this.#run(['init', '--quiet', '--initial-branch', 'main'], folder);
    await this.commit(folder, files);
    return folder;
  }

  async commit(folder, files) {
    for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
    await this.#run(['add', '--all'], folder);
    await this.#run(['commit', '--quiet', '--allow-empty', '-m', 'Change'], folder);
  }

  /** Pushes to an app, and rejects where it does not go live. @returns how long it took, in ms */
  async push(folder, app) {
    const remote = `${this.url.replace('http://', `http://x:${TOKEN}@`)}/git/${app}.git`;
    const begun = performance.now();
    await this.#run(['push', '--quiet', remote, 'main'], folder);
    return performance.now() - begun;
  }

  #run(args, cwd) {
    const author = { NAME: 'Ada', EMAIL: 'ada@example.com' };
    const names = Object.entries(author).flatMap(([name, value]) => [
      [`GIT_AUTHOR_${name}`, value],
      [`GIT_COMMITTER_${name}`, value],
    ]);
    return runToEnd('git', args, { cwd, env: { ...process.env, ...Object.fromEntries(names) } });
  }
}
