// streamlit-host, as npm installs it on a machine that has nothing of it.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../../scripts/lib/setup.js';
import { runToEnd } from '../measure.js';
import { Rival, TOKEN } from './rival.js';

export class Here extends Rival {
  name = 'streamlit-host';
  #package;

  async prepare() {
    await super.prepare();
    const script = join(ROOT, 'scripts/pack.js');
    const said = await runToEnd(process.execPath, [script, this.work], { cwd: ROOT, env: process.env });
    this.#package = said.trim().split('\n').at(-1);
    const git = (...args) => runToEnd('git', args, { cwd: this.project, env: { ...process.env, ...AUTHOR } });
    await git('init', '--quiet', '--initial-branch', 'main');
    await git('add', '--all');
    await git('commit', '--quiet', '-m', 'First');
  }

  async install() {
    await this.begin();
    const options = [
      '--prefix',
      join(this.folder, 'prefix'),
      '--cache',
      join(this.folder, 'npm'),
      '--no-audit',
      '--no-fund',
    ];
    await this.run('npm', ['install', '--global', ...options, this.#package]);
  }

  get env() {
    return {
      ...process.env,
      HOME: join(this.folder, 'home'),
      PIP_NO_CACHE_DIR: '1',
      REDIS_URL: '',
      STREAMLIT_HOST_DATA: this.#data,
      STREAMLIT_HOST_PORT: String(this.port),
      STREAMLIT_HOST_TOKEN: TOKEN,
      STREAMLIT_HOST_PICTURES: 'off',
    };
  }

  get command() {
    return [this.#program, 'start'];
  }

  get app() {
    return `${this.url}/apps/first/`;
  }

  async push() {
    const remote = `${this.url.replace('http://', `http://x:${TOKEN}@`)}/git/first.git`;
    await this.run('git', ['push', '--quiet', remote, 'main'], this.project);
  }

  async reload() {
    await this.run(this.#program, ['reload']);
  }

  async processes() {
    const { pid } = JSON.parse(readFileSync(join(this.#data, 'run/redis.json'), 'utf8'));
    return { server: this.pid, 'Redis of the server': pid };
  }

  async stop() {
    await this.run(this.#program, ['stop']);
    await this.whenGone();
  }

  get #data() {
    return join(this.folder, 'data');
  }

  get #program() {
    return join(this.folder, 'prefix/bin/streamlit-host');
  }
}

const AUTHOR = {
  GIT_AUTHOR_NAME: 'Ada',
  GIT_AUTHOR_EMAIL: 'ada@example.com',
  GIT_COMMITTER_NAME: 'Ada',
  GIT_COMMITTER_EMAIL: 'ada@example.com',
};
