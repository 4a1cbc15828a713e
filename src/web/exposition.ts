import { createHash, timingSafeEqual } from 'node:crypto';
import type { Middleware } from 'koa';
import { tokenOf } from '../domain/access/principal.js';

/** The media types of both formats. */
const TYPES = {
  openmetrics: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
  text: 'text/plain; version=0.0.4; charset=utf-8',
} as const;

export interface ExpositionOptions {
  /** The token that is asked for; null = none; undefined = nothing is told at all. */
  token: string | null | undefined;
  /** Writes the metrics. */
  expose: (format: 'openmetrics' | 'text') => string;
}

/** Answers `GET /metrics` for Prometheus. */
export function exposition({ token, expose }: ExpositionOptions): Middleware {
  return async (ctx, next) => {
    if (ctx.path !== '/metrics' || token === undefined) {
      await next();
      return;
    }
    if (ctx.method !== 'GET' && ctx.method !== 'HEAD') {
      ctx.status = 405;
      ctx.set('Allow', 'GET, HEAD');
      return;
    }
    ctx.set('Cache-Control', 'no-store');
    if (token !== null && !same(tokenOf(ctx.get('authorization')) ?? '', token)) {
      ctx.status = 401;
      ctx.set('WWW-Authenticate', 'Bearer realm="metrics"');
      ctx.type = 'text/plain; charset=utf-8';
      ctx.body = 'Send the token of STREAMLIT_HOST_METRICS_TOKEN as a bearer token.\n';
      return;
    }
    const format = ctx.get('accept').includes('application/openmetrics-text') ? 'openmetrics' : 'text';
    ctx.set('Content-Type', TYPES[format]);
    ctx.body = expose(format);
  };
}

/** Compares in the same time, whatever is in the texts. */
function same(one: string, other: string): boolean {
  const [a, b] = [one, other].map((text) => createHash('sha256').update(text).digest());
  return a !== undefined && b !== undefined && timingSafeEqual(a, b);
}
