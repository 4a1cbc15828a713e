import { openings, type Opening } from '../../domain/access/openings.js';
import { roles, type Role } from '../../domain/access/roles.js';
import { verbs } from '../../domain/access/permissions.js';
import { capitalise } from '../../lib/words.js';
import { Refusal } from '../../errors.js';
import { about } from '../audited.js';
import { attempt, refused, type Page } from './page.js';
import { presentTokens, tokenIn, type TokensTold } from './tokens.js';
import type { AddRoute } from './route.js';

/** Who has which role in an app. */
export function accessRoutes(add: AddRoute): void {
  add('get', '/apps/:id/access', 'access', (page) => show(page, {}));
  add('post', '/apps/:id/access', 'access', (page) =>
    attempt(
      async () => {
        const { id } = page.status.app;
        about(page.ctx, `${page.field('who')} ${page.field('role')}`);
        await page.deps.access.grant(id, page.field('who'), roleIn(page));
        page.go(`apps/${id}/access?done=role`);
      },
      (refusal) => show(page, {}, refusal),
    ),
  );
  add('post', '/apps/:id/access/open', 'access', (page) =>
    attempt(
      async () => {
        const { id } = page.status.app;
        const opens = openings.find((one) => one === page.field('opens'));
        about(page.ctx, opens ?? '');
        if (opens === undefined)
          throw new Refusal('invalid', 'field-invalid', `"opens" must be one of ${openings.join(', ')}.`, {
            field: 'opens',
          });
        await page.deps.access.open(id, opens);
        page.go(`apps/${id}/access?done=opens`);
      },
      (refusal) => show(page, {}, undefined, refusal),
    ),
  );
  add('post', '/apps/:id/access/remove', 'access', (page) =>
    attempt(
      async () => {
        const { id } = page.status.app;
        about(page.ctx, page.field('who'));
        await page.deps.access.revoke(id, page.field('who'));
        // Who took their own role away may see this page no longer.
        page.go(page.may('access') ? `apps/${id}/access?done=role-removed` : '');
      },
      (refusal) => show(page, {}, undefined, refusal),
    ),
  );
  add('post', '/apps/:id/access/tokens', 'access', (page) =>
    attempt(
      async () => show(page, { made: await page.deps.tokens.makeForApp(page.status.app.id, tokenIn(page)) }),
      (refusal) => show(page, { refusal }),
    ),
  );
  add('post', '/apps/:id/access/tokens/revoke', 'access', (page) =>
    attempt(
      async () => {
        const { id } = page.status.app;
        await page.deps.tokens.revoke({ app: id }, page.field('token'));
        page.go(`apps/${id}/access?done=revoked`);
      },
      (refusal) => show(page, { refusal }),
    ),
  );
}

/** How the ways of opening an app read. */
const OPENINGS: Record<Opening, { title: string; hint: string }> = {
  public: { title: 'Everyone', hint: 'Everyone who can reach this server, without a login.' },
  'signed-in': { title: 'Everyone who is logged in', hint: 'All accounts of this server.' },
  people: { title: 'People with a role', hint: 'The people and groups below, and admins.' },
};

/** @throws Refusal `field-invalid` */
function roleIn(page: Page): Role {
  const role = roles.find((one) => one === page.field('role'));
  if (role !== undefined) return role;
  throw new Refusal('invalid', 'field-invalid', `"role" must be one of ${roles.join(', ')}.`, { field: 'role' });
}

/** @param tokens what a form about tokens did @param refusal why the form was refused @param failed why a role was not removed */
async function show(page: Page, tokens: TokensTold, refusal?: Refusal, failed?: Refusal): Promise<void> {
  const { app } = page.status;
  const { id, preview } = app;
  const opens = page.deps.rights.openingOf(app);
  page.show(
    'console/access',
    {
      ...(await page.app('access', failed === undefined ? page.notice : refused(failed))),
      openings: openings.map((name) => ({ name, ...OPENINGS[name], chosen: name === opens })),
      holders: page.deps.access.of(preview?.of ?? id).map(({ who, title, kind, role, account }) => ({
        who,
        title,
        group: kind === 'group',
        role,
        disabled: account?.disabled ?? false,
      })),
      roles: roles.map((name) => ({ name, may: whatMay(name), chosen: name === (page.field('role') || 'viewer') })),
      tokens: preview === undefined ? presentTokens(page, { app: id }, `apps/${id}/access/tokens`, tokens) : undefined,
      who: refusal === undefined ? '' : page.field('who'),
      error: refusal?.message,
      field: refusal?.field,
    },
    (refusal ?? failed ?? tokens.refusal)?.status,
  );
}

/** What a role allows beyond the one below it, in words. */
function whatMay(role: Role): string {
  const own = Object.values(verbs).flatMap((rule) => ('role' in rule && rule.role === role ? rule.what : []));
  return capitalise(own.join('; '));
}
