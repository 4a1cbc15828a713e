import { shownAddress } from '../../drains/drains.js';
import type { DrainState } from '../../drains/drain.js';
import type { Refusal } from '../../errors.js';
import { MACHINE } from '../../store/vault.js';
import type { Words } from '../messages/messages.js';
import { attempt, type Page } from './page.js';
import type { AddRoute } from './route.js';

/** Where the output of an app or of all apps is sent. */
export function drainRoutes(add: AddRoute): void {
  for (const { at, see, change } of [
    { at: '/apps/:id/drains', see: 'logs', change: 'alerts' },
    { at: '/drains', see: 'server', change: 'server' },
  ] as const) {
    add('get', at, see, (page) => show(page));
    add('post', at, change, (page) =>
      attempt(
        async () => {
          const { deps, by } = page;
          const input = { address: page.field('address'), token: page.field('token').trim() };
          await deps.drains.add(ownerOf(page), input, by, deps.rights.may(by, 'server'));
          page.go(`${pathOf(page)}?done=drain-added`);
        },
        (refusal) => show(page, refusal),
      ),
    );
    add('post', `${at}/remove`, change, (page) =>
      attempt(
        async () => {
          await page.deps.drains.remove(ownerOf(page), page.field('drain'));
          page.go(`${pathOf(page)}?done=drain-removed`);
        },
        (refusal) => show(page, refusal),
      ),
    );
  }
}

function ownerOf(page: Page): string {
  return page.param('id') === '' ? MACHINE : page.status.app.id;
}

function pathOf(page: Page): string {
  return page.param('id') === '' ? 'drains' : `apps/${page.status.app.id}/drains`;
}

async function show(page: Page, refusal?: Refusal): Promise<void> {
  const owner = ownerOf(page);
  const drains = {
    action: page.links.console(pathOf(page)),
    mayChange: owner === MACHINE || page.may('alerts'),
    machine: owner === MACHINE,
    anywhere: page.deps.rights.may(page.by, 'server'),
    list: (await page.deps.drains.of(owner)).map((one) => ({
      ...{
        id: one.id,
        address: shownAddress(one),
        state: stateOf(one.state, page.words),
        bad: one.state.problem !== undefined,
      },
    })),
    address: refusal === undefined ? '' : page.field('address'),
    error: page.sentence(refusal),
  };
  if (owner !== MACHINE) return page.show('console/drains', { ...(await page.app('logs')), drains }, refusal?.status);
  page.show('console/machine-drains', { drains, notice: page.notice }, refusal?.status);
}

function stateOf({ sent, dropped, problem }: DrainState, words: Words): string {
  const count = words.t('drains.sent', { count: sent });
  const state = dropped === 0 ? count : words.t('drains.dropped', { sent: count, dropped });
  return problem === undefined ? state : words.t('drains.problem', { state, problem: words.sentence(problem) });
}
