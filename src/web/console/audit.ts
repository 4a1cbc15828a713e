import type { AuditEntry } from '../../domain/access/audit.js';
import { findEntries } from '../api/audit.js';
import { presentTime } from '../numbers.js';
import type { AuditEntryView } from '../people-views.js';
import type { Page } from './page.js';
import type { AddRoute } from './route.js';

/** How many entries one page shows. */
const A_PAGE = 50;

/** Who did what, for admins. */
export function auditRoutes(add: AddRoute): void {
  add('get', '/audit', 'audit', async (page) => {
    const asked = (name: string): string => page.field(name, page.ctx.query).trim().slice(0, 200);
    const [who, app, q] = [asked('who'), asked('app'), asked('q')];
    const before = /^[1-9]\d{0,14}$/.test(asked('before')) ? Number(asked('before')) : undefined;
    const { entries, next } = await findEntries(page.deps.auditLog, {
      ...{ who: who || undefined, app: app || undefined, q: q || undefined, before, limit: A_PAGE },
    });
    const query = new URLSearchParams({ who, app, q, before: String(next) }).toString();
    page.show('console/audit', {
      entries: entries.map((entry) => present(page, entry)),
      older: next === undefined ? undefined : page.links.console(`audit?${query}`),
      ...{ who, app, q },
    });
  });
}

function present(
  page: Page,
  { at, who, token, door, from, what, app, about, result, code }: AuditEntry,
): AuditEntryView {
  return {
    at: presentTime(at, page.now, page.words),
    who: token === true ? page.words.t('audit.byToken', { who }) : who,
    ...{ door, from, what, app: app ?? '', about: about ?? '' },
    result: code === undefined ? result : `${result}: ${code}`,
    bad: result !== 'ok',
  };
}
