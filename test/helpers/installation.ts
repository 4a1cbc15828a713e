import { execFile } from 'node:child_process';
import { mkdir, readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { scratch } from './ends.js';
import { writeFiles } from './files.js';
import { readMeta, type TestHost } from './host.js';

/** A folder of apps in a temporary place, which goes with the test file; laid out as the old controller had it. */
export class Installation {
  readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
  }

  static async create(): Promise<Installation> {
    return new Installation(await scratch('installation-'));
  }

  path(...parts: string[]): string {
    return join(this.folder, ...parts);
  }

  async write(files: Record<string, string>): Promise<void> {
    await writeFiles(this.folder, files);
  }

  async config(): Promise<Config> {
    return JSON.parse(await readFile(this.path('config.json'), 'utf8')) as Config;
  }

  async setConfig(config: unknown): Promise<void> {
    await this.write({ 'config.json': `${JSON.stringify(config, null, 4)}\n` });
  }

  /** What a server is started with that shall work on this folder. */
  get env(): Record<string, string> {
    return { STREAMLIT_HOST_CONFIG: this.path('config.json') };
  }

  /** Makes a virtual environment with Streamlit in it, out of the one of an app's first release. */
  async makeVenv(to: string, host: TestHost, app: string): Promise<void> {
    const { releases } = (await readMeta(host, app)) as { releases: { environment?: string }[] };
    const name = releases[0]?.environment;
    if (name === undefined) throw new Error(`${app} has no environment yet`);
    await mkdir(dirname(to), { recursive: true });
    await new Promise<void>((resolve, reject) => {
      // In hard links: neither is ever changed.
      execFile('cp', ['-al', join(host.data, 'environments', name), to], (error) => {
        if (error === null) resolve();
        else reject(new Error(`cp ended with ${String(error.code)}`));
      });
    });
  }
}

export interface Config {
  website_port?: number;
  apps: Record<string, Record<string, unknown>>;
  [key: string]: unknown;
}

/** An app that tells what it reads from a file beside it, by a path that only its own folder makes true. */
export function fileApp(text: string): Record<string, string> {
  return {
    'app.py': 'import streamlit as st\n\nst.text(open("data/text.txt").read())\n',
    'data/text.txt': text,
    'requirements.txt': 'streamlit\n',
  };
}

/** The files of an app in the old layout. */
export function below(folder: string, files: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(files).map(([path, content]) => [`${folder}/${path}`, content]));
}

/** Ports on which nothing listens now. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer();
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      return server;
    }),
  );
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
