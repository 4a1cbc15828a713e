import type { Account } from '../../domain/access/account.js';
import { hasFactor, parsePasskeyName } from '../../domain/access/second-factor.js';
import { totpUri } from '../../domain/access/totp.js';
import { CHALLENGE_MS } from '../../domain/access/challenges.js';
import { browserOf } from '../../domain/access/browser.js';
import { baseOf, setTicket, ticketsIn } from '../session-cookie.js';
import { Refusal } from '../../errors.js';
import { about } from '../audited.js';
import { signedIn } from '../auth.js';
import { presentTime } from '../numbers.js';
import type { FactorsView } from '../people-views.js';
import type { Page } from './page.js';

/** A form about second factors that was sent: what it made, or why it was refused. */
export interface FactorsTold {
  codes?: readonly string[] | undefined;
  /** What a browser is asked for to make a passkey, as JSON, and the passkey's name. */
  making?: { options: string; name: string };
  refusal?: Refusal;
}

/**
 * Does what a form asks for.
 * @param what "/confirm" for the code that confirms a new app, "/passkey" for a passkey that the browser has made
 * @returns what the page shows afterwards; undefined where something was removed
 * @throws Refusal `field-invalid`, and those of the second factors
 */
export async function changeFactors(
  page: Page,
  account: string,
  what: '' | '/confirm' | '/passkey',
): Promise<FactorsTold | undefined> {
  const { factors } = page.deps;
  const session = sessionOf(page);
  if (what === '/confirm') {
    about(page.ctx, 'app for codes');
    return { codes: await factors.confirm(account, placeOf(page), page.field('code'), { session }) };
  }
  if (what === '/passkey') {
    about(page.ctx, 'passkey');
    const name = page.field('name');
    const made = { tickets: ticketsOf(page), place: placeOf(page), name, answer: page.field('response') };
    return { codes: await page.deps.passkeys.register(account, made, { session }) };
  }
  const [action = '', which = ''] = page.field('action').split(' ');
  about(page.ctx, page.field('action'));
  const password = page.field('factor-password');
  if (action === 'set-up') {
    await factors.setUp(account, placeOf(page), password);
    return {};
  }
  if (action === 'add-passkey') {
    const { passkeys } = page.deps;
    const ticket = passkeys.ticket(ticketsOf(page));
    const asked = await passkeys.registration(account, { ticket, place: placeOf(page), password });
    setTicket(page.ctx, ticket, baseOf(page.deps.publicBase()), CHALLENGE_MS / 1_000);
    const name = page.field('passkey-name').trim() || browserOf(page.ctx.get('user-agent'));
    return { making: { options: asked, name: parsePasskeyName(name) } };
  }
  if (action === 'renew-codes') return { codes: await factors.renewCodes(account, password) };
  if (action === 'remove-app') await factors.removeTotp(account, password);
  else if (action === 'remove-passkey') await factors.removePasskey(account, which, password);
  else throw new Refusal('invalid', 'field-invalid', 'Choose what to do with your second factor.', { field: 'action' });
  return undefined;
}

/** What the page shows of the second factors of an account. */
export async function presentFactors(
  page: Page,
  account: Account,
  { codes = [], making, refusal }: FactorsTold = {},
): Promise<FactorsView> {
  const { factors } = page.deps;
  const { totp, passkeys, recovery } = await factors.of(account.id);
  const key = factors.pendingKey(account.id, placeOf(page));
  const time = (ms: number) => presentTime(new Date(ms).toISOString(), page.now, page.words);
  return {
    app: totp === undefined ? undefined : time(totp.since),
    passkeys: passkeys.map(({ id, name, createdAt, lastUsedAt }) => ({
      ...{ id, name, since: time(createdAt), used: lastUsedAt === undefined ? undefined : time(lastUsedAt) },
    })),
    noPasskeys: !page.deps.passkeys.usable(),
    making,
    codesLeft: recovery.length,
    any: hasFactor({ totp, passkeys }),
    required: factors.isRequired(account),
    pending:
      key === undefined ? undefined : { key, uri: totpUri(key, new URL(page.deps.publicBase()).host, account.email) },
    codes,
    error: page.sentence(refusal),
    field: refusal?.field,
  };
}

function sessionOf(page: Page): string | undefined {
  return signedIn(page.ctx).session?.id;
}

function ticketsOf(page: Page): string[] {
  return ticketsIn(page.ctx, baseOf(page.deps.publicBase()));
}

/** Where a key is shown: in this session alone. */
function placeOf(page: Page): string {
  return `session ${sessionOf(page) ?? ''}`;
}
