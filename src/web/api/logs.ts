import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { Readable } from 'node:stream';
import type { Context } from 'koa';
import type { z } from 'zod';
import type { App } from '../../domain/app.js';
import { hasCode, Refusal } from '../../errors.js';
import { follow } from '../../logs/follow.js';
import { maskStream } from '../../logs/mask-stream.js';
import { search } from '../../logs/search.js';
import { tail } from '../../logs/tail.js';
import { releaseOf } from './deploys.js';
import { route, type ApiContext, type Route } from './route.js';
import { answers, params, queries, resume } from './schemas.js';
import { streamEvents, type EventStream } from './sse.js';

/** How long (ms) is waited for the last line of a log whose deploy has ended. */
const LAST_LINE_MS = 1_000;

type Query = z.infer<typeof queries.logs>;

/** A log that was asked for. */
interface Source {
  path: string;
  release: number | undefined;
  /** Hides the app's config vars and secrets. */
  hide: (text: string) => string;
}

/** The call that reads, searches, follows and downloads logs. */
export function logRoutes(api: ApiContext): Route[] {
  return [
    route({
      method: 'get',
      path: '/apps/{id}/logs',
      tag: 'logs',
      summary: 'The end of a log, or the log as it is written',
      description:
        'JSON, or text for "Accept: text/plain". With follow=1 each line is a server-sent event, its id an offset. ' +
        'A followed build log ends with an event "end" that tells the state of the deploy.',
      params: params.app,
      query: queries.logs,
      headers: resume,
      answers: {
        200: {
          description: 'Lines, the oldest first.',
          content: {
            'application/json': answers.logs,
            'text/plain': { type: 'string' },
            'text/event-stream': { type: 'string' },
          },
        },
      },
      async handle(ctx, { params: { id }, query }) {
        const { app } = api.apps.get(id);
        const source = { ...sourceOf(api, app, query), hide: await api.apps.mask(app.id) };
        if (query.follow === '1') return followLog(ctx, api, app.id, source, query);
        if (query.download === '1') return download(ctx, app.id, source);
        await answerLines(ctx, source, query);
      },
    }),
  ];
}

/** @throws Refusal */
function sourceOf(api: ApiContext, app: App, query: Query): Omit<Source, 'hide'> {
  if (query.source === 'run') {
    if (query.release === undefined) return { path: api.logs.runLog(app.id), release: undefined };
    throw new Refusal('invalid', 'field-invalid', '"release" goes with source=build: what the app prints is one log.', {
      field: 'release',
    });
  }
  const newest = app.releases.at(-1)?.number;
  const wanted = query.release ?? newest;
  if (wanted === undefined)
    throw new Refusal(
      'not-found',
      'release-not-found',
      `Nothing was deployed to "${app.id}" yet, so there is no build log.`,
    );
  return { path: api.logs.buildLog(app.id, releaseOf(app, wanted).number), release: wanted };
}

async function answerLines(ctx: Context, source: Source, query: Query): Promise<void> {
  const { path, release, hide } = source;
  const read = query.q === undefined ? await tail(path, query.tail) : await matching(source, query.q, query.tail);
  const found = { ...read, lines: read.lines.map(hide) };
  if (ctx.accepts('json', 'text') === 'text') {
    ctx.type = 'text/plain; charset=utf-8';
    ctx.body = found.lines.map((line) => `${line}\n`).join('');
    return;
  }
  ctx.body = { source: query.source, release: release ?? null, ...found };
}

async function matching(
  { path, hide }: Source,
  text: string,
  limit: number,
): Promise<{ lines: string[]; offset: null; truncated: boolean }> {
  const { matches, complete } = await search(path, text, { limit });
  // What is hidden cannot be searched for either, or one could guess it letter by letter.
  const wanted = text.toLowerCase();
  const lines = matches.map(({ line }) => line).filter((line) => hide(line).toLowerCase().includes(wanted));
  return { lines: lines.reverse(), offset: null, truncated: !complete };
}

async function download(ctx: Context, id: string, { path, release, hide }: Source): Promise<void> {
  ctx.attachment(release === undefined ? `${id}.log` : `${id}-build-${release}.log`);
  ctx.type = 'text/plain; charset=utf-8';
  try {
    // As long as it is now: a log that is written to all the time would otherwise have no end.
    const { size } = await stat(path);
    ctx.body = size === 0 ? '' : Readable.from(maskStream(createReadStream(path, { end: size - 1 }), hide));
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
    ctx.body = '';
  }
}

function followLog(ctx: Context, api: ApiContext, id: string, source: Source, query: Query): void {
  const wanted = query.q?.toLowerCase();
  const last = /^\d{1,15}$/.exec(ctx.get('last-event-id'))?.[0];

  streamEvents(ctx, api, async (stream) => {
    const send = async (raw: string[], offset: number): Promise<void> => {
      const lines = raw.map(source.hide);
      const chosen = wanted === undefined ? lines : lines.filter((line) => line.toLowerCase().includes(wanted));
      // Only the last line of a piece has an id: what is behind an offset was sent whole, also when the line
      // to the reader breaks here.
      for (const [place, data] of chosen.entries()) {
        await stream.send(place === chosen.length - 1 ? { id: offset, data } : { data });
      }
    };
    let offset = Number(last ?? 0);
    if (last === undefined) {
      const end = await tail(source.path, query.tail);
      offset = end.offset;
      await send(end.lines, offset);
    }
    const ended = endOf(api, id, source, stream);
    // Nothing may be left to come.
    ended.reached(offset);
    try {
      for await (const added of follow(source.path, { from: offset, signal: ended.signal })) {
        offset = added.offset;
        await send(added.text.split('\n').slice(0, -1), offset);
        ended.reached(offset);
      }
    } finally {
      ended.forget();
    }
    if (!stream.signal.aborted && source.release !== undefined) {
      const app = api.apps.list().find((each) => each.app.id === id)?.app;
      const release = app?.releases.find((each) => each.number === source.release);
      await stream.send({
        event: 'end',
        data: JSON.stringify({
          release: source.release,
          state: release?.state ?? null,
          reason: release?.reason ?? null,
        }),
      });
    }
  });
}

interface End {
  signal: AbortSignal;
  /** Says how far was read. */
  reached(offset: number): void;
  forget(): void;
}

/** A build log ends with its deploy, once it was read to where it ended; what an app prints ends with the reader. */
function endOf(api: ApiContext, id: string, { path, release }: Source, stream: EventStream): End {
  const done = new AbortController();
  const signal = AbortSignal.any([done.signal, stream.signal]);
  let read = 0;
  let size: number | undefined;
  let timer: NodeJS.Timeout | undefined;
  const settle = (): void => {
    if (size !== undefined && read >= size) done.abort();
  };
  const finish = async (): Promise<void> => {
    size = await stat(path).then(
      (found) => found.size,
      () => 0,
    );
    settle();
    // A last line without its newline is never complete.
    if (!signal.aborted) timer = setTimeout(() => done.abort(), LAST_LINE_MS);
  };
  if (release !== undefined) {
    const deploy = api.apps.deploying(id, release);
    void (deploy?.done ?? Promise.resolve()).then(finish);
  }
  return {
    signal,
    reached(offset) {
      read = offset;
      settle();
    },
    forget: () => clearTimeout(timer),
  };
}
