import type { Context } from 'koa';
import type { AccountChange } from '../domain/access/account.js';
import type { Asked, Done } from '../host/audit.js';

/** Says for the audit log whom or what a request was about, such as `ada@example.com owner`; nothing secret. */
export function about(ctx: Context, text: string): void {
  (ctx.state as { about?: string }).about = text;
}

/** What the audit log is told of a request before it is answered. @param path the route's, with names for its parts */
export function askedBy(ctx: Context, path: string): Pick<Asked, 'from' | 'what' | 'reads'> {
  const reads = ctx.method === 'GET' || ctx.method === 'HEAD';
  return { from: ctx.ip, what: `${ctx.method} ${path}`, reads };
}

/** What it is told afterwards. Unless something was said about it, it was about what the path names beside the app. */
export function doneBy(ctx: Context): Done {
  const told = (ctx.state as { about?: string }).about;
  const { id: _, ...named } = ctx.params as Record<string, string | undefined>;
  const usual = ctx.method === 'GET' ? undefined : Object.values(named).join(' ') || undefined;
  return { status: ctx.status, about: told ?? usual };
}

/** What an account was to become, without its password. */
export function told({ email = '', admin, disabled, groups, secondFactorRequired: needs }: AccountChange): string {
  const facts = [
    admin === undefined ? '' : admin ? 'admin' : 'member',
    disabled === undefined ? '' : disabled ? 'disabled' : 'enabled',
    needs === undefined ? '' : `second factor ${needs ? 'required' : 'optional'}`,
    groups === undefined ? '' : `groups: ${groups.join(', ') || 'none'}`,
  ];
  return [email, ...facts.filter((fact) => fact !== '')].join(', ');
}
