import { openings } from '../../domain/access/openings.js';
import { SHARE } from '../../domain/access/pass.js';
import { roles, type Role } from '../../domain/access/roles.js';
import { verbs } from '../../domain/access/permissions.js';
import { capitalise } from '../../lib/words.js';
import { Refusal } from '../../errors.js';
import { shareUrl } from '../api/access.js';
import type { Words } from '../messages/messages.js';
import type { Made } from '../page-models.js';
import { about } from '../audited.js';
import { attempt, type Page } from './page.js';
import { addCiRule, presentCi, removeCiRule } from './ci.js';
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
        await page.deps.access.open(id, opens, opens === 'password' ? page.field('password') || undefined : undefined);
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
  add('post', '/apps/:id/access/shares', 'access', (page) =>
    attempt(
      async () => {
        const { id } = page.status.app;
        about(page.ctx, page.field('name'));
        const days = Number(page.field('days'));
        const input = {
          name: page.field('name'),
          embed: page.field('embed') !== '',
          days: Number.isInteger(days) && days >= 1 ? days : undefined,
        };
        const { share, code } = await page.deps.access.share(id, input, page.by);
        const url = shareUrl(page.deps.url(id), code, share.embed);
        const hint = page.words.t('access.shareHint', {
          expires: new Date(share.expiresAt).toISOString().slice(0, 10),
        });
        await show(page, {}, undefined, undefined, {
          made: { title: page.words.t('access.shareLink'), url, hint, email: share.name },
        });
      },
      (refusal) => show(page, {}, undefined, undefined, { refusal }),
    ),
  );
  add('post', '/apps/:id/access/shares/revoke', 'access', (page) =>
    attempt(
      async () => {
        const { id } = page.status.app;
        about(page.ctx, page.field('share'));
        await page.deps.access.unshare(id, page.field('share'));
        page.go(`apps/${id}/access?done=unshared`);
      },
      (refusal) => show(page, {}, undefined, undefined, { refusal }),
    ),
  );
  add('post', '/apps/:id/access/frames', 'access', (page) =>
    attempt(
      async () => {
        const { id } = page.status.app;
        const origins = page
          .field('frames')
          .split(/[\s,]+/)
          .filter((origin) => origin !== '');
        about(page.ctx, `frames: ${origins.join(' ')}`);
        await page.deps.access.frame(id, origins);
        page.go(`apps/${id}/access?done=frames`);
      },
      (refusal) => show(page, {}, undefined, undefined, { refusal }),
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
  const ci = (page: Page, refusal: Refusal): Promise<void> => show(page, {}, undefined, undefined, {}, refusal);
  add('post', '/apps/:id/access/ci', 'access', (page) => addCiRule(page, (refusal) => ci(page, refusal)));
  add('post', '/apps/:id/access/ci/remove', 'access', (page) => removeCiRule(page, (refusal) => ci(page, refusal)));
}

/** @throws Refusal `field-invalid` */
function roleIn(page: Page): Role {
  const role = roles.find((one) => one === page.field('role'));
  if (role !== undefined) return role;
  throw new Refusal('invalid', 'field-invalid', `"role" must be one of ${roles.join(', ')}.`, { field: 'role' });
}

/**
 * @param tokens what a form about tokens did @param refusal why the form was refused @param failed why a role was not removed
 * @param ci why a form about CI jobs was refused
 */
async function show(
  page: Page,
  tokens: TokensTold,
  refusal?: Refusal,
  failed?: Refusal,
  shares: { made?: Made; refusal?: Refusal } = {},
  ci?: Refusal,
): Promise<void> {
  const { app } = page.status;
  const { id, preview } = app;
  const opens = page.deps.rights.openingOf(app);
  const typed = (name: string): string => (shares.refusal === undefined ? '' : page.field(name));
  page.show(
    'console/access',
    {
      ...(await page.app('access', failed === undefined ? page.notice : page.refused(failed))),
      hasPassword: app.visitPassword !== undefined,
      shares: page.deps.access.shares(preview?.of ?? id).map((share) => ({
        id: share.id,
        name: share.name,
        embed: share.embed,
        by: share.by,
        expires: new Date(share.expiresAt).toISOString().slice(0, 10),
      })),
      share: {
        made: shares.made,
        error: page.sentence(shares.refusal),
        field: shares.refusal?.field,
        name: typed('name'),
        days: typed('days') || String(SHARE.usualDays),
        most: SHARE.mostDays,
        embed: typed('embed') !== '',
        frames: shares.refusal?.field === 'frames' ? typed('frames') : page.deps.access.framesOf(id).join(' '),
      },
      openings: openings.map((name) => ({
        name,
        title: page.words.t(`opening.${name}`),
        hint: page.words.t(`opening.${name}Hint`),
        chosen: name === opens,
      })),
      holders: page.deps.access.of(preview?.of ?? id).map(({ who, title, kind, role, account }) => ({
        who,
        title,
        group: kind === 'group',
        role: page.words.t(`role.${role}`),
        disabled: account?.disabled ?? false,
      })),
      roles: roles.map((name) => ({
        name,
        title: page.words.t(`role.${name}`),
        may: whatMay(name, page.words),
        chosen: name === (page.field('role') || 'viewer'),
      })),
      tokens: preview === undefined ? presentTokens(page, { app: id }, `apps/${id}/access/tokens`, tokens) : undefined,
      ci: preview === undefined ? presentCi(page, ci) : undefined,
      who: refusal === undefined ? '' : page.field('who'),
      error: page.sentence(refusal),
      field: refusal?.field,
    },
    (refusal ?? failed ?? tokens.refusal ?? shares.refusal ?? ci)?.status,
  );
}

/** What a role allows beyond the one below it, in words. */
function whatMay(role: Role, words: Words): string {
  const own = Object.values(verbs).flatMap((rule) => ('role' in rule && rule.role === role ? rule.what : []));
  return capitalise(words.t('access.may', { may: words.clauses(own) }));
}
