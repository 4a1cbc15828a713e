import { randomBytes } from 'node:crypto';
import type { Context } from 'koa';
import { Refusal } from '../errors.js';
import { sameSecret } from '../store/sessions.js';
import { formToken } from './form-token.js';
import { formSecretsIn, setFormSecret, type Base } from './session-cookie.js';

/** A CSRF token as it came: the session's from our scripts, or that of a form. */
export type SentToken = { header: string } | { form: string };

/** @throws Refusal where it is missing or another one's */
export function demandToken(sent: SentToken | undefined, csrf: string | undefined, path: string): void {
  if (sent === undefined) {
    throw new Refusal('forbidden', 'csrf-token-missing', 'The CSRF token is missing. Reload the page and try again.');
  }
  const right =
    csrf !== undefined &&
    ('header' in sent ? sameSecret(sent.header, csrf) : sameSecret(sent.form, formToken(csrf, path)));
  if (!right)
    throw new Refusal('forbidden', 'csrf-token-wrong', 'This page is from an older session. Reload it and try again.');
}

/**
 * In a header from our scripts, or in a form's field: never in the address, which stays in histories, logs of proxies and
 * referrers, and which a service worker of an app can read.
 */
export function tokenSent(ctx: Context): SentToken | undefined {
  const header = ctx.get('x-csrf-token');
  if (header !== '') return { header };
  const body = (ctx.request as { body?: unknown }).body;
  const field = typeof body === 'object' && body !== null && 'csrf' in body ? body.csrf : undefined;
  return typeof field === 'string' && field !== '' ? { form: field } : undefined;
}

/**
 * Returns the CSRF token of a form for who is not logged in yet. It depends on a secret that only this browser has, which it is
 * given in a cookie with the first such form: an app's page can send a form to the login, but cannot read one.
 * @param path where the form is sent to, below the public base
 */
export function loginToken(ctx: Context, base: Base, path: string): string {
  const state = ctx.state as { formSecret?: string };
  const known = formSecretsIn(ctx, base)[0] ?? state.formSecret;
  const secret = known ?? randomBytes(32).toString('base64url');
  if (known === undefined) setFormSecret(ctx, secret, base);
  // A page has several forms, whose tokens fit one cookie.
  state.formSecret = secret;
  return formToken(secret, path);
}

/**
 * Demands that a form for who is not logged in yet was shown to the browser that sends it. Of several secrets, one must fit:
 * what scripts plant beside it must keep nobody out.
 * @throws Refusal `csrf-token-missing`, `csrf-token-wrong`
 */
export function demandLoginForm(ctx: Context, base: Base): void {
  const sent = tokenSent(ctx);
  const form = sent !== undefined && 'form' in sent ? sent : undefined;
  const secrets = formSecretsIn(ctx, base);
  const right = form && secrets.find((secret) => sameSecret(form.form, formToken(secret, ctx.path)));
  if (right === undefined) demandToken(form, undefined, ctx.path);
}
