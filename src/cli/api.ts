import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { Refusal, type RefusalCode } from '../errors.js';
import { kindOf, unreachable, usage } from './failures.js';
import { readText, send } from './http.js';
import { nearest } from './nearest.js';
import type { Target } from './where.js';
import type { AppAnswer, DeployAnswer, OverviewAnswer, ProblemAnswer } from '../web/api/answers.js';

/**
 * An app as the API returns it, with only the fields that the command line reads, so that older and newer servers and
 * clients work together. Fields that some servers lack are optional.
 */
export type App = Pick<
  AppAnswer,
  'id' | 'name' | 'state' | 'url' | 'git_url' | 'release' | 'pid' | 'port' | 'uptime_seconds'
> & { last_deploy?: Pick<Deploy, 'state' | 'reason'> | null } & Partial<
    Pick<AppAnswer, 'memory_bytes' | 'cage' | 'replicas' | 'processes'>
  >;

/** A deploy as the API returns it. */
export type Deploy = Pick<
  DeployAnswer,
  'release' | 'commit' | 'branch' | 'by' | 'message' | 'state' | 'reason' | 'created_at' | 'seconds'
>;

/** An app with the deploy that its change started. */
export type Changed = App & { deploy: Deploy | null };

/** All apps, and the errors in the server's config.json, one sentence each. */
export type Overview = Pick<OverviewAnswer, 'config_mistakes'> & {
  apps: App[];
  /** What keeps deploys from running; servers before 0.3 do not tell. */
  waits_for?: string[];
  /** What runs pushed apps; servers before 0.3 do not tell. */
  runtime?: OverviewAnswer['runtime'];
};

/** How long (ms) the answer to what takes its time may take. */
const LONG_MS = 6 * 3_600_000;
/** How long (ms) a download may be silent. */
const DOWNLOAD_SILENCE_MS = 10 * 60_000;
/** How long (ms) a stream may be silent; the server sends a keep-alive every 15 seconds. */
const STREAM_SILENCE_MS = 45_000;

/** The REST API of a server. Its error answers are thrown as `Refusal`s. */
export class Api {
  readonly target: Target;

  constructor(target: Target) {
    this.target = target;
  }

  async app(id: string): Promise<App> {
    return this.get(appPath(id));
  }

  /** Returns all apps, sorted by id. */
  async apps(): Promise<App[]> {
    return (await this.overview()).apps;
  }

  async overview(): Promise<Overview> {
    const page = (number: number): Promise<Overview & { total: number }> =>
      this.get(`/apps?per_page=100&page=${number}`);
    const first = await page(1);
    const rest = Array.from({ length: Math.max(0, Math.ceil(first.total / 100) - 1) }, (_, place) => page(place + 2));
    const apps = [first, ...(await Promise.all(rest))].flatMap((each) => each.apps);
    const { config_mistakes, waits_for = [], runtime } = first;
    return { apps, config_mistakes, waits_for, ...(runtime && { runtime }) };
  }

  async get<T>(path: string): Promise<T> {
    return this.#json('GET', path);
  }

  /** @param body sent as JSON */
  async post<T>(path: string, body?: object): Promise<T> {
    return this.#json('POST', path, body);
  }

  /** Sends what takes its time to be answered. @param body sent as JSON @param silenceMs how long (ms) the server may be silent */
  async postLong<T>(path: string, body: object, silenceMs = LONG_MS): Promise<T> {
    const headers = { 'content-type': 'application/json' };
    return this.#parse(await this.#send('POST', path, headers, JSON.stringify(body), silenceMs));
  }

  /** @param body sent as JSON */
  async patch<T>(path: string, body: object): Promise<T> {
    return this.#json('PATCH', path, body);
  }

  /** The same for what takes its time to be answered. @param silenceMs how long (ms) the server may be silent */
  async patchLong<T>(path: string, body: object, silenceMs = LONG_MS): Promise<T> {
    const headers = { 'content-type': 'application/json' };
    return this.#parse(await this.#send('PATCH', path, headers, JSON.stringify(body), silenceMs));
  }

  /** @param body sent as JSON */
  async put<T>(path: string, body: object): Promise<T> {
    return this.#json('PUT', path, body);
  }

  /** Sends a text unchanged. */
  async sendText<T>(method: 'PATCH' | 'PUT', path: string, text: string): Promise<T> {
    return this.#parse(await this.#send(method, path, { 'content-type': 'text/plain; charset=utf-8' }, text));
  }

  async delete(path: string): Promise<void> {
    const answer = await this.#send('DELETE', path);
    answer.resume();
  }

  /** Sends a form as a stream. */
  async form<T>(method: 'POST' | 'PATCH', path: string, form: { boundary: string; body: Readable }): Promise<T> {
    const headers = { 'content-type': `multipart/form-data; boundary=${form.boundary}` };
    return this.#parse(await this.#send(method, path, headers, form.body));
  }

  /** Opens a stream of bytes. */
  async download(path: string): Promise<Readable> {
    return this.#send('GET', path, undefined, undefined, DOWNLOAD_SILENCE_MS);
  }

  /** Opens a stream of server-sent events. @param lastId the last event that came */
  async events(path: string, lastId?: string): Promise<AsyncIterable<Uint8Array>> {
    const headers = { accept: 'text/event-stream', ...(lastId === undefined ? {} : { 'last-event-id': lastId }) };
    const answer = await this.#send('GET', path, headers, undefined, STREAM_SILENCE_MS);
    if (answer.headers['content-type']?.startsWith('text/event-stream') === true)
      return answer as AsyncIterable<Uint8Array>;
    answer.destroy();
    throw this.#stranger();
  }

  /** Returns whether the server answers, with or without a token. */
  async isHealthy(): Promise<boolean> {
    try {
      const answer = await send(
        { ...this.target, token: undefined },
        { method: 'GET', path: '/healthz', silenceMs: 5_000 },
      );
      answer.resume();
      return answer.statusCode === 200;
    } catch {
      return false; // Not reachable: that is the answer.
    }
  }

  async #json<T>(method: string, path: string, body?: object): Promise<T> {
    if (body === undefined) return this.#parse(await this.#send(method, path));
    return this.#parse(await this.#send(method, path, { 'content-type': 'application/json' }, JSON.stringify(body)));
  }

  async #parse<T>(answer: IncomingMessage): Promise<T> {
    const text = await readText(this.target, answer);
    try {
      return JSON.parse(text) as T;
    } catch {
      throw this.#stranger();
    }
  }

  async #send(
    method: string,
    path: string,
    headers?: Record<string, string>,
    body?: string | Readable,
    silenceMs?: number,
  ): Promise<IncomingMessage> {
    const answer = await send(this.target, {
      method,
      path: `/api${path}`,
      ...(headers === undefined ? {} : { headers }),
      ...(body === undefined ? {} : { body }),
      ...(silenceMs === undefined ? {} : { silenceMs }),
    });
    const status = answer.statusCode ?? 0;
    if (status >= 200 && status < 300) return answer;
    if (status >= 300 && status < 400) {
      answer.resume();
      throw unreachable(
        `${this.target.url} redirects to ${answer.headers.location ?? 'another URL'}. Use the URL of the server itself.`,
      );
    }
    throw await this.#refusal(answer, path);
  }

  async #refusal(answer: IncomingMessage, path: string): Promise<Refusal> {
    const text = await readText(this.target, answer);
    let problem: Partial<ProblemAnswer>;
    try {
      problem = JSON.parse(text) as Partial<ProblemAnswer>;
    } catch {
      return this.#stranger();
    }
    const { status, detail, field, choices } = problem;
    if (typeof status !== 'number' || typeof problem.code !== 'string' || typeof detail !== 'string')
      return this.#stranger();
    // A newer server may have codes that are not known here: they are passed on.
    const code = problem.code as RefusalCode;
    if (status === 401) return this.#signedOut(code);
    const sentence = code === 'app-not-found' ? await this.#unknownApp(path, detail) : detail;
    return new Refusal(kindOf(status), code, sentence, {
      field,
      choices: Array.isArray(choices) ? choices.map(String) : [],
    });
  }

  #signedOut(code: RefusalCode): Refusal {
    const { url, token } = this.target;
    const why = token === undefined ? `No token is stored for ${url}.` : `${url} rejected the token.`;
    return new Refusal('unauthorised', code, `${why} Log in with "streamlit-host login ${url}".`);
  }

  /** Returns the sentence for an unknown app, with the closest existing id. */
  async #unknownApp(path: string, detail: string): Promise<string> {
    const id = decodeURIComponent(/^\/apps\/([^/?]+)/.exec(path)?.[1] ?? '');
    if (id === '') return detail;
    const ids = (await this.apps()).map((app) => app.id);
    const meant = nearest(id, ids);
    if (meant !== undefined) return `There is no app "${id}". Did you mean "${meant}"?`;
    return ids.length === 0
      ? `There is no app "${id}". This server has no apps yet.`
      : `There is no app "${id}". Run "streamlit-host status" to list all apps.`;
  }

  #stranger(): Refusal {
    return unreachable(`The response from ${this.target.url} is not from a streamlit-host server. Check the URL.`);
  }
}

/** Returns the API path of an app, or of something below it. @throws Refusal `usage` where the id is empty */
export function appPath(id: string, below = ''): string {
  // An empty variable of a script must not turn a call about one app into one about all.
  if (id.trim() === '') throw usage('The app id is empty.');
  if (id === '.' || id === '..') throw usage(`"${id}" is not a valid app id.`);
  return `/apps/${encodeURIComponent(id)}${below}`;
}
