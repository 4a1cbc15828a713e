// ShinyHub (https://github.com/rvben/shinyhub), as pip installs it, with the uv that it needs for Python apps.
import { readFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Rival, TOKEN } from './rival.js';

const PACKAGES = ['shinyhub==0.21.4', 'uv'];

const MANIFEST = `[app]
command = [
  "uv", "run", "--no-project", "--with-requirements", "requirements.txt", "streamlit", "run", "app.py",
  "--server.port", "{port}", "--server.address", "{host}", "--server.headless", "true",
  "--server.fileWatcherType", "none", "--browser.gatherUsageStats", "false",
]
`;

export class ShinyHub extends Rival {
  name = 'ShinyHub 0.21.4';

  async prepare() {
    await super.prepare();
    await writeFile(join(this.project, 'shinyhub.toml'), MANIFEST);
    // Whether it can be had at all.
    await this.install();
    await this.remove();
  }

  async install() {
    await this.begin();
    await this.run('python3', ['-m', 'venv', join(this.folder, 'venv')]);
    await this.run(join(this.folder, 'venv/bin/pip'), ['install', '--quiet', '--no-cache-dir', ...PACKAGES]);
    await this.run(this.#program, ['init', '--config', this.#config]);
    const settings = await readFile(this.#config, 'utf8');
    // Its command for a reload asks for this line, and does not read the variable.
    await writeFile(this.#config, settings.replace(/^server:\n/m, `server:\n  pid_file: "${this.#pidFile}"\n`));
  }

  get env() {
    return {
      ...process.env,
      PATH: `${join(this.folder, 'venv/bin')}:${process.env.PATH}`,
      HOME: join(this.folder, 'home'),
      SHINYHUB_ADMIN_USER: 'admin',
      SHINYHUB_ADMIN_PASSWORD: TOKEN,
      SHINYHUB_DEPLOY_TOKEN: TOKEN,
      SHINYHUB_RUNTIME_DEFAULT_MAX_SESSIONS_PER_REPLICA: '100',
      SHINYHUB_HOST: this.url,
      SHINYHUB_TOKEN: TOKEN,
      SHINYHUB_SERVER_PORT: String(this.port),
    };
  }

  get command() {
    return [this.#program, 'serve', '--config', this.#config, '--no-browser'];
  }

  get app() {
    return `${this.url}/app/first/`;
  }

  async push() {
    const options = ['--slug', 'first', '--visibility', 'public', '--start', '--wait'];
    await this.run(this.#program, ['deploy', this.project, ...options]);
  }

  async reload() {
    await this.run(this.#program, ['reload', '--config', this.#config, '--wait', '30s']);
  }

  async processes() {
    return { server: this.#current };
  }

  async stop() {
    await this.run(this.#program, ['apps', 'stop', 'first']).catch(() => undefined);
    await sleep(1_000);
    try {
      process.kill(this.#current, 'SIGTERM');
    } catch {
      // It was not started, or has ended.
    }
    await this.whenGone();
  }

  /** The server that serves now: a reload replaces it. */
  get #current() {
    return Number(readFileSync(this.#pidFile, 'utf8'));
  }

  get #program() {
    return join(this.folder, 'venv/bin/shinyhub');
  }

  get #config() {
    return join(this.folder, 'shinyhub.yaml');
  }

  get #pidFile() {
    return join(this.folder, 'shinyhub.pid');
  }
}
