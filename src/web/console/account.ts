import type { Refusal } from '../../errors.js';
import { demandAccount } from '../api/me.js';
import { signedIn } from '../auth.js';
import { about } from '../audited.js';
import { presentTime } from '../numbers.js';
import { attempt, type Page } from './page.js';
import { changeFactors, presentFactors, type FactorsTold } from './factors.js';
import { presentAccount } from './people.js';
import { presentTokens, tokenIn, type TokensTold } from './tokens.js';
import type { SessionView } from '../people-views.js';
import type { AddRoute } from './route.js';

/** One's own account: name, password, second factor, tokens and sessions. */
export function accountRoutes(add: AddRoute): void {
  add('get', '/account', 'account', (page) => show(page));
  add('post', '/account', 'account', (page) =>
    attempt(
      async () => {
        await page.deps.people.rename(demandAccount(page.by), page.field('name'));
        page.go('account?done=user-change');
      },
      (refusal) => show(page, refusal),
    ),
  );
  add('post', '/account/password', 'account', (page) =>
    attempt(
      async () => {
        const id = demandAccount(page.by);
        const { session } = signedIn(page.ctx);
        await page.deps.people.changePassword(id, page.field('current'), page.field('password'), session?.id);
        page.go('account?done=password');
      },
      (refusal) => show(page, refusal),
    ),
  );
  for (const what of ['', '/confirm', '/passkey'] as const)
    add('post', `/account/second-factor${what}`, 'account', (page) =>
      attempt(
        async () => {
          const told = await changeFactors(page, demandAccount(page.by), what);
          if (told === undefined) page.go('account?done=second-factor-removed');
          else await show(page, undefined, undefined, told);
        },
        (refusal) => show(page, undefined, undefined, { refusal }),
      ),
    );
  add('post', '/account/tokens', 'account', (page) =>
    attempt(
      async () => {
        const made = await page.deps.tokens.make(demandAccount(page.by), tokenIn(page));
        await show(page, undefined, { made });
      },
      (refusal) => show(page, undefined, { refusal }),
    ),
  );
  add('post', '/account/tokens/revoke', 'account', (page) =>
    attempt(
      async () => {
        await page.deps.tokens.revoke({ account: demandAccount(page.by) }, page.field('token'));
        page.go('account?done=revoked');
      },
      (refusal) => show(page, undefined, { refusal }),
    ),
  );
  add('post', '/account/sessions/end', 'account', async (page) => {
    const ended = page.field('session');
    about(page.ctx, ended);
    await page.deps.sessions.endListed(page.by.account, ended);
    page.go('account?done=session-ended');
  });
}

async function show(page: Page, refusal?: Refusal, tokens?: TokensTold, factors?: FactorsTold): Promise<void> {
  const account = page.by.account === undefined ? undefined : page.deps.people.get(page.by.account);
  const typed = refusal !== undefined && refusal.field === 'name';
  page.show(
    'console/account',
    {
      account: account === undefined ? undefined : presentAccount(page, account),
      tokens:
        account === undefined ? undefined : presentTokens(page, { account: account.id }, 'account/tokens', tokens),
      factors: account?.password === undefined ? undefined : await presentFactors(page, account, factors),
      sessions: sessionsOf(page),
      notice: page.notice,
      name: typed ? page.field('name') : (account?.name ?? ''),
      error: page.sentence(refusal),
      field: refusal?.field,
    },
    (refusal ?? tokens?.refusal ?? factors?.refusal)?.status,
  );
}

/** The open sessions of the person or, with the admin token, those of the token. */
function sessionsOf(page: Page): SessionView[] {
  const { session } = signedIn(page.ctx);
  const mine = session === undefined ? undefined : page.deps.sessions.listedAs(session.id);
  return page.deps.sessions.list(page.by.account).map(({ id, usedAt, from = '', browser = '', provider }) => ({
    id,
    title: browser === '' ? page.words.t('account.someBrowser') : browser,
    from,
    provider: provider ?? '',
    used: presentTime(new Date(usedAt).toISOString(), page.now, page.words),
    current: id === mine,
  }));
}
