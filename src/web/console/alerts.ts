import { shownAddress, type Destination } from '../../alerts/destinations.js';
import { kinds, type Kind } from '../../alerts/formats.js';
import type { Delivery } from '../../alerts/ledger.js';
import { MACHINE } from '../../alerts/problems.js';
import { ruleNames, titleOf, type Rule } from '../../alerts/rules.js';
import { Refusal } from '../../errors.js';
import type { Words } from '../messages/messages.js';
import { presentTime } from '../numbers.js';
import type { Notice } from '../page-models.js';
import type { AlertsView } from '../machine-views.js';
import { presentSummary } from '../presenters.js';
import { attempt, type Page } from './page.js';
import type { AddRoute } from './route.js';

/** How many messages a page shows. */
const SHOWN = 20;

/** What a form did: the webhook that it added, or why it was refused. */
interface Told {
  made?: Destination;
  refusal?: Refusal;
  /** Why something else on the page was refused. */
  notice?: Notice;
}

/** What is wrong with an app or the machine, and where alerts are sent. */
export function alertRoutes(add: AddRoute): void {
  for (const { at, see, change } of [
    { at: '/apps/:id/alerts', see: 'see', change: 'alerts' },
    { at: '/alerts', see: 'server', change: 'server' },
  ] as const) {
    add('get', at, see, (page) => show(page, {}));
    add('post', at, change, (page) =>
      attempt(
        async () => {
          const { deps, by } = page;
          const made = await deps.alerts.add(ownerOf(page), inputOf(page), by, deps.rights.may(by, 'server'));
          await show(page, { made });
        },
        (refusal) => show(page, { refusal }),
      ),
    );
    for (const verb of ['test', 'remove'] as const)
      add('post', `${at}/${verb}`, change, (page) =>
        attempt(
          async () => {
            await page.deps.alerts[verb](ownerOf(page), page.field('destination'));
            page.go(`${pathOf(page)}?done=${verb === 'test' ? 'tested' : 'destination-removed'}`);
          },
          (refusal) => show(page, { notice: page.refused(refusal) }, refusal.status),
        ),
      );
  }
}

function ownerOf(page: Page): string {
  return page.param('id') === '' ? MACHINE : page.status.app.id;
}

function pathOf(page: Page): string {
  return page.param('id') === '' ? 'alerts' : `apps/${page.status.app.id}/alerts`;
}

/** @throws Refusal `field-invalid` */
function inputOf(page: Page): { kind: Kind; address: string; name: string; secret: string; rules?: Rule[] } {
  const kind = kinds.find((one) => one === page.field('kind'));
  if (kind === undefined)
    throw new Refusal('invalid', 'field-invalid', `"kind" must be one of ${kinds.join(', ')}.`, { field: 'kind' });
  const rules = chosen(page);
  if (rules.length === 0)
    throw new Refusal('invalid', 'field-invalid', 'Choose at least one alert.', { field: 'rules' });
  return {
    ...{ kind, address: page.field('address'), name: page.field('name').slice(0, 100), secret: page.field('secret') },
    ...(rules.length === ruleNames.length ? {} : { rules }),
  };
}

function chosen(page: Page): Rule[] {
  return ruleNames.filter((rule) => page.field(`rule-${rule}`) !== '');
}

async function show(page: Page, told: Told, status = told.refusal?.status): Promise<void> {
  const alerts = await present(page, told);
  const notice = told.notice ?? page.notice;
  if (!alerts.machine) return page.show('console/alerts', { ...(await page.app('alerts', notice)), alerts }, status);
  page.show(
    'console/machine-alerts',
    { alerts, notice, summary: presentSummary(page.host.apps.list(), page.words) },
    status,
  );
}

async function present(page: Page, { made, refusal }: Told): Promise<AlertsView> {
  const { words } = page;
  const owner = ownerOf(page);
  const { problems, destinations, deliveries } = await page.deps.alerts.of(owner);
  const time = (ms: number) => presentTime(new Date(ms).toISOString(), page.now, page.words);
  const typed = (name: string, usual: string): string => (refusal === undefined ? usual : page.field(name));
  const all = refusal === undefined;
  const titleIn = (id: string): string => {
    const found = destinations.find((one) => one.id === id);
    return found === undefined ? words.t('alerts.removed') : nameOf(found, words);
  };
  return {
    action: page.links.console(pathOf(page)),
    machine: owner === MACHINE,
    mayChange: owner === MACHINE || page.may('alerts'),
    problems: problems.map(({ rule, of, text, since }) => ({
      ...{ title: words.sentence(titleOf(rule)), text: words.sentence(text), since: time(since) },
      app:
        of === MACHINE
          ? words.t('alerts.machine')
          : (page.host.apps.list().find(({ app }) => app.id === of)?.app.name ?? of),
    })),
    destinations: destinations.map((one) => {
      const last = deliveries.find(({ destination }) => destination === one.id);
      return {
        ...{ id: one.id, kind: words.t(`kind.${one.kind}`), title: nameOf(one, words), address: shownAddress(one) },
        rules: words.list((one.rules ?? []).map((rule) => words.sentence(titleOf(rule)))),
        last:
          last === undefined
            ? undefined
            : { text: stateOf(last, isBehind(last), words), bad: last.state !== 'delivered', time: timeOf(last) },
      };
    }),
    deliveries: deliveries.slice(0, SHOWN).map((one) => ({
      ...{
        title: one.message.title,
        lines: one.message.lines,
        destination: titleIn(one.destination),
        state: stateOf(one, isBehind(one), words),
      },
      ...{ bad: one.state !== 'delivered', note: words.sentence(one.problem ?? ''), time: timeOf(one) },
    })),
    made: made?.kind === 'webhook' ? { title: nameOf(made, words), secret: made.secret ?? '' } : undefined,
    kinds: kinds.map((name) => ({ name, title: words.t(`kind.${name}`), chosen: name === typed('kind', 'email') })),
    rules: ruleNames.map((name) => ({
      name,
      title: words.sentence(titleOf(name)),
      chosen: all || chosen(page).includes(name),
    })),
    name: typed('name', ''),
    address: typed('address', ''),
    mails: page.deps.alerts.mails,
    anywhere: page.deps.rights.may(page.by, 'server'),
    error: page.sentence(refusal),
    field: refusal?.field,
  };

  /** The newest are the first. */
  function isBehind({ id, destination }: Delivery): boolean {
    const first = deliveries.findLast((one) => one.destination === destination && one.state === 'waiting');
    return first !== undefined && first.id !== id;
  }

  function timeOf({ triedAt, at }: Delivery) {
    return time(triedAt ?? at);
  }
}

function nameOf(one: Pick<Destination, 'name' | 'kind' | 'address'>, words: Words): string {
  return one.name === '' ? (one.kind === 'email' ? one.address : words.t(`kind.${one.kind}`)) : one.name;
}

/** @param behind whether an earlier message to the same destination waits as well */
function stateOf({ state, tries }: Delivery, behind: boolean, words: Words): string {
  switch (state) {
    case 'delivered':
      return words.t('delivery.delivered');
    case 'failed':
      return words.t('delivery.failed', { count: tries });
    case 'waiting':
      if (tries > 0) return words.t('delivery.again', { count: tries });
      return words.t(behind ? 'delivery.behind' : 'delivery.sending');
  }
}
