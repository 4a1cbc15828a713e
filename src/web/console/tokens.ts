import { scopes } from '../../domain/access/scopes.js';
import { DAYS, type Token } from '../../domain/access/tokens.js';
import { Refusal } from '../../errors.js';
import type { NewToken } from '../../host/tokens.js';
import { presentTime } from '../numbers.js';
import type { TokensView } from '../people-views.js';
import type { Page } from './page.js';

/** A form about tokens that was sent: what it made, or why it was refused. */
export interface TokensTold {
  made?: NewToken;
  refusal?: Refusal;
}

/** What a page shows of the tokens of an account or an app. @param action where its forms are sent to */
export function presentTokens(
  page: Page,
  of: Token['of'],
  action: string,
  { made, refusal }: TokensTold = {},
): TokensView {
  const { tokens } = page.deps;
  const typed = (name: string, usual: string): string => (refusal === undefined ? usual : page.field(name));
  return {
    action: page.links.console(action),
    list: tokens
      .list(of)
      .filter((token) => tokens.isActive(token))
      .map((token) => ({
        id: token.id,
        name: token.name,
        hint: token.hint,
        scope: token.scope,
        apps: token.apps?.join(', ') ?? page.words.t('tokens.allApps'),
        expires: new Date(token.expiresAt).toISOString().slice(0, 10),
        used:
          token.lastUsedAt === undefined
            ? undefined
            : presentTime(new Date(token.lastUsedAt).toISOString(), page.now, page.words),
      })),
    made: made === undefined ? undefined : { name: made.token.name, secret: made.secret },
    personal: 'account' in of,
    scopes: scopes.map((name) => ({ name, chosen: name === typed('scope', 'deploy') })),
    name: typed('name', ''),
    apps: typed('apps', ''),
    days: typed('days', String(DAYS.usual)),
    most: DAYS.most,
    error: page.sentence(refusal),
    field: refusal?.field,
  };
}

/** What the form says of a new token. @throws Refusal `field-invalid` */
export function tokenIn(page: Page): { name: string; scope: (typeof scopes)[number]; apps?: string[]; days: number } {
  const scope = scopes.find((one) => one === (page.field('scope') || 'deploy'));
  const days = Number(page.field('days') || DAYS.usual);
  if (scope === undefined) throw invalid('scope', `one of ${scopes.join(', ')}`);
  if (!Number.isInteger(days) || days < 1 || days > DAYS.most)
    throw invalid('days', `a whole number from 1 to ${DAYS.most}`);
  const apps = page
    .field('apps')
    .split(/[\s,]+/)
    .filter((app) => app !== '');
  return { name: page.field('name'), scope, days, ...(apps.length === 0 ? {} : { apps }) };
}

function invalid(field: string, what: string): Refusal {
  return new Refusal('invalid', 'field-invalid', `"${field}" must be ${what}.`, { field });
}
