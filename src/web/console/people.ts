import type { Account } from '../../domain/access/account.js';
import { isInvited, titleOf } from '../../domain/access/account.js';
import { hasFactor } from '../../domain/access/second-factor.js';
import type { Refusal } from '../../errors.js';
import type { NewLink } from '../../store/users.js';
import { about, told } from '../audited.js';
import { presentTime } from '../numbers.js';
import type { Made } from '../page-models.js';
import type { AccountView } from '../people-views.js';
import { attempt, type Page } from './page.js';
import type { AddRoute } from './route.js';

/** The accounts, for admins: who there is, inviting, and what can be changed of each. */
export function peopleRoutes(add: AddRoute): void {
  add('get', '/people', 'people', (page) => list(page, {}));
  add('post', '/people', 'people', (page) =>
    attempt(
      async () => {
        about(page.ctx, told(inputOf(page)));
        const { account, invitation } = await page.deps.people.add(inputOf(page), page.by);
        list(
          page,
          invitation === undefined
            ? {}
            : { link: linkOf(page, page.words.t('madeLink.invitation'), account, invitation) },
        );
      },
      async (refusal) => list(page, { refusal }),
    ),
  );

  add('get', '/people/:user', 'people', (page) => person(page, {}));
  add('post', '/people/:user', 'people', (page) =>
    attempt(
      async () => {
        about(page.ctx, told(inputOf(page)));
        const { id } = await page.deps.people.change(page.param('user'), inputOf(page));
        page.go(`people/${id}?done=user-change`);
      },
      (refusal) => person(page, { refusal }),
    ),
  );
  for (const [verb, disabled] of [
    ['disable', true],
    ['enable', false],
  ] as const) {
    add('post', `/people/:user/${verb}`, 'people', (page) =>
      attempt(
        async () => {
          const { id } = await page.deps.people.change(page.param('user'), { disabled });
          page.go(`people/${id}?done=user-${verb}`);
        },
        (refusal) => person(page, { failed: refusal }),
      ),
    );
  }
  add('post', '/people/:user/invite', 'people', (page) =>
    attempt(
      async () => {
        const link = await page.deps.people.invite(page.param('user'), page.by);
        await person(page, { link: linkOf(page, page.words.t('madeLink.invitation'), accountIn(page), link) });
      },
      (refusal) => person(page, { failed: refusal }),
    ),
  );
  add('post', '/people/:user/reset', 'people', (page) =>
    attempt(
      async () => {
        const link = await page.deps.people.reset(page.param('user'), page.by);
        await person(page, { link: linkOf(page, page.words.t('madeLink.reset'), accountIn(page), link) });
      },
      (refusal) => person(page, { failed: refusal }),
    ),
  );
  for (const [verb, secondFactorRequired] of [
    ['factor-required', true],
    ['factor-optional', false],
  ] as const) {
    add('post', `/people/:user/${verb}`, 'people', async (page) => {
      const { id } = await page.deps.people.change(page.param('user'), { secondFactorRequired });
      page.go(`people/${id}?done=user-change`);
    });
  }
  add('post', '/people/:user/factor-reset', 'people', async (page) => {
    const { id } = await page.deps.factors.reset(page.param('user'));
    page.go(`people/${id}?done=second-factor-reset`);
  });
  add('post', '/people/:user/logout', 'people', async (page) => {
    const { id } = accountIn(page);
    await page.deps.sessions.endOf(id);
    page.go(`people/${id}?done=sessions-ended`);
  });
}

function list(page: Page, { refusal, link }: { refusal?: Refusal; link?: Made }): void {
  const typed = (name: string): string => (refusal === undefined ? '' : page.field(name));
  page.show(
    'console/people',
    {
      accounts: page.deps.people.list().map((account) => presentAccount(page, account)),
      notice: page.notice,
      link,
      email: typed('email'),
      name: typed('name'),
      groups: typed('groups'),
      admin: typed('admin') !== '',
      error: page.sentence(refusal),
      field: refusal?.field,
    },
    refusal?.status,
  );
}

/** @param failed why a button did nothing @param refusal why the form was refused */
async function person(
  page: Page,
  { refusal, failed, link }: { refusal?: Refusal; failed?: Refusal; link?: Made },
): Promise<void> {
  const account = accountIn(page);
  const { factors } = page.deps;
  page.show(
    'console/person',
    {
      account: presentAccount(page, account),
      sessions: page.deps.sessions.list(account.id).length,
      hasFactor: hasFactor(await factors.of(account.id)),
      factorRequired: account.secondFactorRequired === true,
      everyone: factors.isRequired({}),
      notice: failed === undefined ? page.notice : page.refused(failed),
      link,
      email: refusal === undefined ? account.email : page.field('email'),
      name: refusal === undefined ? account.name : page.field('name'),
      groups: refusal === undefined ? account.groups.join(', ') : page.field('groups'),
      admin: refusal === undefined ? account.admin : page.field('admin') !== '',
      error: page.sentence(refusal),
      field: refusal?.field,
    },
    (refusal ?? failed)?.status,
  );
}

/** @throws Refusal `user-not-found` */
function accountIn(page: Page): Account {
  return page.deps.people.get(page.param('user'));
}

function inputOf(page: Page): { email: string; name: string; admin: boolean; groups: string[] } {
  const groups = page.field('groups').split(/[\s,]+/);
  return {
    email: page.field('email'),
    name: page.field('name'),
    admin: page.field('admin') !== '',
    groups: groups.filter((group) => group !== ''),
  };
}

function linkOf(page: Page, title: string, { email }: Account, { code }: NewLink): Made {
  const hint = page.words.t('madeLink.hint');
  return { title, email, hint, url: `${page.links.origin}/console/join?code=${code}` };
}

/** An account as the console shows it. */
export function presentAccount(page: Page, account: Account): AccountView {
  const { id, email, groups, admin, disabled, lastLoginAt, password } = account;
  return {
    id,
    title: titleOf(account),
    email,
    href: page.links.console(`people/${id}`),
    groups,
    admin,
    disabled,
    invited: isInvited(account),
    hasPassword: password !== undefined,
    lastLogin: lastLoginAt === undefined ? undefined : presentTime(lastLoginAt, page.now, page.words),
    self: page.by.account === id,
  };
}
