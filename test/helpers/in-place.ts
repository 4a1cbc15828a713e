import { expect } from 'vitest';
import { startHost, until, type TestHost } from './host.js';
import { below, Installation } from './installation.js';
import { StreamlitClient } from './streamlit-client.js';

export interface Refreshed {
  notes: string[];
  apps: { app: string; outcome: string; sentence: string }[];
}

export interface AppAnswer {
  state: string;
  pid: number | null;
  port: number | null;
  release: number | null;
  folder: string | null;
  last_deploy: { state: string; reason: string | null; by: string } | null;
}

/** A server that works on a folder of apps. */
export class InPlace {
  /** The server that works on it now: a test may start another one in the place of this one. */
  host: TestHost;
  readonly ours: Installation;

  private constructor(host: TestHost, ours: Installation) {
    this.host = host;
    this.ours = ours;
  }

  /** Starts a server on a folder that holds these apps, by their ids, and waits until they run. @param files what else it holds */
  static async start(
    apps: Record<string, Record<string, string>> = {},
    files: Record<string, string> = {},
  ): Promise<InPlace> {
    const ours = await Installation.create();
    await ours.write(files);
    for (const [id, files] of Object.entries(apps)) await ours.write(below(`apps/${id}`, files));
    const place = new InPlace(await startHost({ env: ours.env }), ours);
    await Promise.all(Object.keys(apps).map((id) => place.running(id)));
    return place;
  }

  /** Adds apps to the folder, by their ids, and waits until they run. */
  async add(apps: Record<string, Record<string, string>>): Promise<void> {
    for (const [id, files] of Object.entries(apps)) await this.ours.write(below(`apps/${id}`, files));
    const outcomes = await this.outcomes(...Object.keys(apps));
    expect(outcomes).toEqual(Object.fromEntries(Object.keys(apps).map((id) => [id, 'added'])));
    await Promise.all(Object.keys(apps).map((id) => this.running(id)));
  }

  async post(
    path: string,
    body?: object,
  ): Promise<{ status: number; json: Refreshed & { detail?: string; code?: string } }> {
    const answer =
      body === undefined ? await this.host.api(path, { method: 'POST' }) : await this.host.send('POST', path, body);
    return { status: answer.status, json: (await answer.json()) as Refreshed & { detail?: string } };
  }

  async refresh(): Promise<Refreshed> {
    return (await this.post('/refresh')).json;
  }

  /** Refreshes, and returns what came of these apps. */
  async outcomes(...ids: string[]): Promise<Record<string, string>> {
    const { apps } = await this.refresh();
    return Object.fromEntries(apps.filter(({ app }) => ids.includes(app)).map(({ app, outcome }) => [app, outcome]));
  }

  /** Changes the settings of an app in config.json, or adds one. */
  async configure(id: string, settings: Record<string, unknown>): Promise<void> {
    const config = await this.ours.config();
    await this.ours.setConfig({ ...config, apps: { ...config.apps, [id]: { ...config.apps[id], ...settings } } });
  }

  async app(id: string): Promise<AppAnswer> {
    return (await this.host.app(id)) as unknown as AppAnswer;
  }

  async running(id: string): Promise<AppAnswer> {
    return until(`${id} runs`, async () => {
      const answer = await this.app(id);
      return answer.state === 'running' && answer;
    });
  }

  page(id: string): Promise<StreamlitClient> {
    return StreamlitClient.connect(`${this.host.url}/apps/${id}/`);
  }

  /** What a new visitor sees. */
  async shown(id: string): Promise<string> {
    const client = await this.page(id);
    try {
      return (await client.run()).join('\n');
    } finally {
      await client.close();
    }
  }
}
