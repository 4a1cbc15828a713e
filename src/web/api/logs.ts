import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { Readable } from 'node:stream';
import type { Context } from 'koa';
import type { z } from 'zod';
import { printingRelease, type App } from '../../domain/app/app.js';
import { hasCode, Refusal } from '../../errors.js';
import { maskStream } from '../../logs/mask-stream.js';
import { search } from '../../logs/search.js';
import { tail } from '../../logs/tail.js';
import { codes } from './codes.js';
import { releaseOf } from './deploys.js';
import { followLog, pathOf, type Source } from './follow-log.js';
import { route, type ApiContext, type Route } from './route.js';
import { answers } from './answers.js';
import { params, queries, resume } from './schemas.js';

type Query = z.infer<typeof queries.logs>;

/** The call that reads, searches, follows and downloads logs. */
export function logRoutes(api: ApiContext): Route[] {
  return [
    route({
      method: 'get',
      path: '/apps/{id}/logs',
      tag: 'logs',
      can: 'logs',
      summary: 'Read, follow or download a log',
      description:
        'JSON, or text with "Accept: text/plain". With follow=1 each line is a server-sent event; a progress bar that has no ' +
        'newline yet is sent as "redraw" events, each of which replaces the one before. The app log continues across ' +
        'releases unless you name one. A build log ends with an "end" event that has the state of the deploy.',
      params: params.app,
      query: queries.logs,
      headers: resume,
      codes: [...codes.vault, 'release-not-found'],
      answers: {
        200: {
          description: 'Log lines, oldest first.',
          content: {
            'application/json': answers.logs,
            'text/plain': { type: 'string' },
            'text/event-stream': { type: 'string' },
          },
        },
      },
      async handle(ctx, { params: { id }, query }) {
        const { app } = api.host.apps.get(id);
        const source = { ...sourceOf(app, query), hide: await api.host.masks.of(app.id) };
        if (query.follow === '1') return followLog(ctx, api, source, query);
        if (query.download === '1') return download(ctx, api, source);
        await answerLines(ctx, api, source, query);
      },
    }),
  ];
}

/** @throws Refusal `release-not-found` */
function sourceOf(app: App, query: Query): Omit<Source, 'hide'> {
  const { source } = query;
  const newest = source === 'run' ? printingRelease(app) : app.lastRelease;
  if (query.release === undefined && newest === 0 && source === 'build')
    throw new Refusal('not-found', 'release-not-found', `"${app.id}" has no deploys yet, so there is no build log.`);
  const release = query.release === undefined ? newest : releaseOf(app, query.release).number;
  return { app: app.id, source, release, goesOn: source === 'run' && query.release === undefined };
}

async function answerLines(ctx: Context, api: ApiContext, from: Source, query: Query): Promise<void> {
  const { source, release, hide } = from;
  const path = pathOf(api, from);
  const read = query.q === undefined ? await tail(path, query.tail) : await matching(path, hide, query.q, query.tail);
  const found = { ...read, lines: read.lines.map(hide) };
  if (ctx.accepts('json', 'text') === 'text') {
    ctx.type = 'text/plain; charset=utf-8';
    ctx.body = found.lines.map((line) => `${line}\n`).join('');
    return;
  }
  ctx.body = { source, release: release === 0 ? null : release, ...found };
}

async function matching(
  path: string,
  hide: Source['hide'],
  text: string,
  limit: number,
): Promise<{ lines: string[]; offset: null; truncated: boolean }> {
  const { matches, complete } = await search(path, text, { limit, hide });
  return { lines: matches.map(({ line }) => line).reverse(), offset: null, truncated: !complete };
}

async function download(ctx: Context, api: ApiContext, from: Source): Promise<void> {
  const { app, source, release, hide, goesOn } = from;
  const path = pathOf(api, from);
  ctx.attachment(goesOn ? `${app}.log` : `${app}-${source}-${release}.log`);
  ctx.type = 'text/plain; charset=utf-8';
  try {
    // As long as it is now: a log that is written to all the time would otherwise have no end.
    const { size } = await stat(path);
    ctx.body = size === 0 ? '' : Readable.from(maskStream(beginningOf(path, size), hide));
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
    ctx.body = '';
  }
}

/** The first bytes of a file, which is opened once somebody reads them: for the head of an answer alone, nobody does. */
async function* beginningOf(path: string, bytes: number): AsyncGenerator<Buffer> {
  yield* createReadStream(path, { end: bytes - 1 }) as AsyncIterable<Buffer>;
}
