// What both contestants share: a folder for each round, a server process, and an app to deploy.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { runToEnd } from '../measure.js';
import { untilReady } from './load.js';

export const TOKEN = 'a-token-for-the-benchmark-only-0123';

/** One product that is measured. Its subclasses say how it is installed, started and deployed to. */
export class Rival {
  #server;
  #deployed = false;

  /** @param work the folder of the whole benchmark */
  constructor(work) {
    this.work = join(work, this.constructor.name.toLowerCase());
  }

  /** The folder of one round: what is installed, cached and stored. */
  get folder() {
    return join(this.work, 'round');
  }

  /** The folder of the app. */
  get project() {
    return join(this.work, 'app');
  }

  /** Once, before anything is measured. */
  async prepare() {
    await mkdir(this.project, { recursive: true });
    await writeFile(join(this.project, 'app.py'), 'import streamlit as st\n\nst.write("Hello")\n');
    await writeFile(join(this.project, 'requirements.txt'), 'streamlit\n');
  }

  /** A new folder and port for a round. */
  async begin() {
    await mkdir(join(this.folder, 'home'), { recursive: true });
    this.port = await freePort();
    this.#deployed = false;
  }

  /** Starts the server, and waits until it is ready, and its app with it where there is one. */
  async start() {
    const [command, ...args] = this.command;
    this.#server = spawn(command, args, { cwd: this.folder, env: this.env, stdio: 'ignore' });
    this.#server.once('error', (error) => console.error(error.message));
    await untilReady(this.#deployed ? `${this.app}_stcore/health` : `${this.url}/healthz`);
  }

  /** Makes the first deploy. */
  async deploy() {
    await this.push();
    await untilReady(`${this.app}_stcore/health`);
    this.#deployed = true;
  }

  get url() {
    return `http://127.0.0.1:${this.port}`;
  }

  get pid() {
    return this.#server.pid;
  }

  async kill() {
    this.#server.kill('SIGKILL');
    await this.whenGone();
  }

  /** Waits for the end of the process that was started last. */
  async whenGone() {
    const server = this.#server;
    if (server !== undefined && server.exitCode === null && server.signalCode === null) await once(server, 'exit');
  }

  /** Ends what runs, and removes what the round has made. */
  async remove() {
    await this.stop();
    await rm(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }

  /** After a failure too. */
  async end() {
    if (this.#server === undefined) return;
    await this.stop().catch(() => undefined);
    this.#server.kill('SIGKILL');
  }

  run(command, args, cwd = this.folder) {
    return runToEnd(command, args, { cwd, env: this.env });
  }
}

function freePort() {
  return new Promise((resolve) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}
