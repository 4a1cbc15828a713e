import { startPush, type Pushing } from '../helpers/pushing.js';
import type { Activity, AppName } from './plan.js';
import { files, type ChaosApp, type Sent, type World } from './world.js';

/** What is under way in a round. */
export interface Doing {
  /** Never rejects: what a client was told when something failed is looked at afterwards. */
  done: Promise<void>;
  /** Cuts its client off, as when the cable is pulled. */
  unplug: () => Promise<void>;
}

/** Begins an activity. It goes on by itself. */
export function begin(world: World, activity: Activity, id: AppName): Doing {
  const app = world.app(id);
  const client = new Client(world, app);
  const done = PLAYS[activity](client).catch((error: unknown) => client.note(error));
  return { done: done.then(() => undefined), unplug: () => client.unplug() };
}

/** Somebody who does something with an app, by git and by the API. */
class Client {
  readonly world: World;
  readonly app: ChaosApp;
  readonly #cable = new AbortController();
  #pushing: Pushing | undefined;

  constructor(world: World, app: ChaosApp) {
    this.world = world;
    this.app = app;
  }

  /** The server went away, or refused: what must hold then is looked at after the round. */
  note(error: unknown): void {
    // What is no answer of the network is a fault of the activity itself.
    if (error instanceof ReferenceError || (error instanceof TypeError && !/fetch|terminated/.test(error.message)))
      throw error;
  }

  async unplug(): Promise<void> {
    this.#cable.abort();
    if (this.#pushing?.running === true) await this.#pushing.kill();
  }

  /** Pushes a new version. @param options of git push */
  async push(change: Record<string, string> = {}, ...options: string[]): Promise<Sent> {
    const { world, app } = this;
    const { project } = app;
    app.version += 1;
    const commit = await project.commit({ ...files(app.id, app.version), ...change }, `Version ${app.version}`);
    const sent: Sent = { app: app.id, commit, told: undefined, deleted: false };
    world.sent.push(sent);
    // Whatever the console has committed meanwhile.
    this.#pushing = startPush(project, world.host, app.id, ...options, `+HEAD:refs/heads/${app.branch}`);
    sent.told = await this.#pushing.done;
    // What is refused must not be in the way of the next version.
    if (sent.told.code !== 0 && change['app.py'] !== undefined)
      await project.git('reset', '--quiet', '--hard', 'HEAD~1');
    return sent;
  }

  /** Asks the API, and reads the whole answer. */
  async ask(method: string, path: string, body?: object): Promise<void> {
    const json = body === undefined || body instanceof FormData ? undefined : JSON.stringify(body);
    const answer = await this.world.host.api(path, {
      method,
      signal: this.#cable.signal,
      ...(json !== undefined && { headers: { 'content-type': 'application/json' }, body: json }),
      ...(body instanceof FormData && { body }),
    });
    for await (const part of answer.body ?? []) void part;
  }

  /** Sends a file as its own body. */
  async put(path: string, text: string): Promise<void> {
    await this.world.host.api(path, { method: 'PUT', signal: this.#cable.signal, body: text });
  }

  /** A new version of the app's main file. */
  next(): string {
    this.app.version += 1;
    return files(this.app.id, this.app.version)['app.py'] ?? '';
  }
}

const PLAYS: Record<Activity, (client: Client) => Promise<unknown>> = {
  push: (client) => client.push(),
  build: (client) => client.push({}, '-o', 'fresh'),
  'failing-push': (client) => client.push({ 'app.py': 'raise SystemError("on purpose")\n' }),
  preview: async (client) => {
    const { app } = client;
    await client.ask('PATCH', `/apps/${app.id}`, { previews_on: true });
    const { branch } = app;
    app.branch = 'feature';
    const sent = await client.push().finally(() => (app.branch = branch));
    sent.deleted = true;
    await app.project.git('push', client.world.host.remote(app.id), ':feature');
  },
  upload: (client) => {
    const form = new FormData();
    form.set('app', new Blob([client.next()]), 'app.py');
    return client.ask('PATCH', `/apps/${client.app.id}`, form);
  },
  edit: (client) => client.put(`/apps/${client.app.id}/files/app.py`, client.next()),
  restart: (client) => client.ask('POST', `/apps/${client.app.id}/restart`),
  'stop-and-start': async (client) => {
    const { id } = client.app;
    client.app.wanted = 'stopped';
    await client.ask('POST', `/apps/${id}/stop`);
    client.app.wanted = 'running';
    await client.ask('POST', `/apps/${id}/start`);
  },
  rollback: async (client) => {
    const { id } = client.app;
    const deploys = (await (await client.world.host.api(`/apps/${id}/deploys?per_page=50`)).json()) as {
      deploys: { release: number; state: string }[];
    };
    const old = deploys.deploys.find(({ state }) => state === 'retired' || state === 'draining');
    if (old !== undefined) await client.ask('POST', `/apps/${id}/rollback`, { release: old.release });
  },
  backup: (client) => client.ask('GET', '/server/backup?key=true'),
  delete: async (client) => {
    const { app } = client;
    app.wanted = 'gone';
    await client.ask('DELETE', `/apps/${app.id}?confirm=${app.id}`);
    app.wanted = 'running';
    await client.push();
  },
  'rename-branch': async (client) => {
    const { app } = client;
    app.branch = app.branch === 'main' ? 'trunk' : 'main';
    await client.ask('PATCH', `/apps/${app.id}`, { deploy_branch: app.branch });
    await client.push();
  },
  config: (client) =>
    client.ask('PATCH', `/apps/${client.app.id}/config`, { vars: { MOOD: String(client.app.version) } }),
  'rotate-key': (client) => client.ask('POST', '/config/rotate-key'),
};
