import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { expect } from 'vitest';
import { until, type TestHost } from './host.js';
import { Project } from './project.js';
import { pushLive } from './pushing.js';

/** Shows what it has by its hash, so that no value is in what it sends. */
const APP = `import hashlib, os
import streamlit as st

def shown(value):
    return hashlib.sha256(value.encode()).hexdigest()[:10] if value else "none"

def secret(section, key):
    try:
        return st.secrets[section][key]
    except Exception:
        return ""

st.write("text:" + shown(os.environ.get("API_KEY", "")) + "-" + shown(secret("db", "password")))
st.write("auth:" + secret("auth", "redirect_uri") + ":" + str(len(secret("auth", "cookie_secret"))))
if False:
    st.secrets["mail"], os.environ["REGION"]
`;

const hash = (value: string): string => createHash('sha256').update(value).digest('hex').slice(0, 10);

export const JSON_BODY = { 'content-type': 'application/json' };

/** What a change of config answers. */
export interface Changed {
  version: number;
  live_version: number | null;
  deploy: { release: number; source: string; commit: string; url: string } | null;
}

export interface ChangeAnswer {
  status: number;
  text: string;
  body: Changed;
}

/** A project that shows what config it gets, and reads some more that nobody sets. */
export function configProject(): Promise<Project> {
  return Project.create({ 'app.py': APP, 'requirements.txt': 'streamlit\n' });
}

/** An app with config, whose values stand nowhere but in it, so that a test can look for them everywhere. */
export class ConfiguredApp {
  /** The host that serves it now: a test may start another one in the place of this one. */
  host: TestHost;
  readonly id: string;
  /** The first value of the var `API_KEY`, the password in its secrets, and a second value for the var. */
  readonly one: string;
  readonly two: string;
  readonly three: string;

  private constructor(host: TestHost, id: string) {
    this.host = host;
    this.id = id;
    this.one = `value-of-a-var-${id}-7f3a`;
    this.two = `password-in-secrets-${id}-91cc`;
    this.three = `second-value-of-a-var-${id}-55e0`;
  }

  /** Creates the app, without config. */
  static async create(host: TestHost, id: string): Promise<ConfiguredApp> {
    const made = await host.send('POST', '/apps', { name: id });
    expect(made.status, await made.clone().text()).toBe(201);
    return new ConfiguredApp(host, id);
  }

  /** Creates the app, sets version 2 of its config, and pushes it. */
  static async live(host: TestHost, id: string, project: Project): Promise<ConfiguredApp> {
    const app = await ConfiguredApp.create(host, id);
    await app.configure();
    await pushLive(project, host, id);
    return app;
  }

  /** Sets the vars (version 1), then the secrets (version 2). @returns the answers to both */
  async configure(): Promise<[ChangeAnswer, ChangeAnswer]> {
    return [
      await this.set('PATCH', 'config', { vars: { API_KEY: this.one, EMPTY: '' } }),
      await this.set('PUT', 'secrets', `[db]\npassword = "${this.two}"\n`, { 'content-type': 'text/plain' }),
    ];
  }

  /** What a visitor sees with this value of the var; undefined where it is not set. */
  text(value: string | undefined): string {
    return `text:${value === undefined ? 'none' : hash(value)}-${hash(this.two)}`;
  }

  /** What holds any of its values. */
  get values(): RegExp {
    return new RegExp(`${this.one}|${this.two}|${this.three}`);
  }

  /** Asks the API for something below the app. */
  api(path: string, init: RequestInit = {}): Promise<Response> {
    return this.host.api(`/apps/${this.id}${path}`, init);
  }

  /** Sends something to a path below the app. */
  async set(
    method: string,
    path: string,
    body: unknown,
    headers: Record<string, string> = JSON_BODY,
  ): Promise<ChangeAnswer> {
    const answer = await this.api(`/${path}`, {
      method,
      headers,
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });
    const text = await answer.text();
    return { status: answer.status, text, body: JSON.parse(text) as Changed };
  }

  /** Sets something while the app is live, and waits until the release that it makes is live. */
  async setLive(method: string, path: string, body: unknown): Promise<Changed> {
    const { status, text, body: changed } = await this.set(method, path, body);
    expect(status, text).toBe(200);
    const number = changed.deploy?.release;
    await until(`release ${number} is live`, async () => (await this.host.app(this.id)).release === number);
    return changed;
  }

  /** The files with secrets that its processes have now, below the data folder. */
  async secretFiles(): Promise<string[]> {
    const folder = join('run', 'secrets', this.id);
    const entries = await readdir(join(this.host.data, folder), { recursive: true }).catch(() => [] as string[]);
    return entries.filter((name) => name.endsWith('secrets.toml')).map((name) => join(folder, name));
  }
}

/** The files below the data folder that hold a text, in any of the forms in which it could stand there. */
export async function filesWith(host: TestHost, text: string): Promise<string[]> {
  const entries = await readdir(host.data, { recursive: true, withFileTypes: true });
  const found: string[] = [];
  for (const entry of entries) {
    const path = join(entry.parentPath, entry.name);
    if (!entry.isFile() || path.startsWith(join(host.data, 'environments'))) continue;
    const bytes = await readFile(path).catch(() => Buffer.alloc(0)); // It may be gone by now.
    if (bytes.includes(text) || bytes.includes(Buffer.from(text).toString('base64').slice(0, -4)))
      found.push(relative(host.data, path));
  }
  return found;
}
