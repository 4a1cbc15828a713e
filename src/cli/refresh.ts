import { Refusal } from '../errors.js';
import type { Context } from './context.js';
import { tableLines, type Colour, type Column } from './output.js';
import type { RefreshedAnswer } from '../web/api/answers.js';

type AppOutcome = RefreshedAnswer['apps'][number];

const COLOURS: Record<AppOutcome['outcome'], Colour> = {
  added: 'green',
  restarted: 'green',
  changed: 'green',
  removed: 'yellow',
  skipped: 'yellow',
  failed: 'red',
  unchanged: 'grey',
};

/** Reloads config.json and the apps folder, and prints the outcomes. @throws Refusal `refresh-failed` where an app failed */
export async function refresh(cli: Context): Promise<void> {
  const api = await cli.api();
  tell(cli, await api.post<RefreshedAnswer>('/refresh'));
}

/** Prints the outcome for each app. @throws Refusal `refresh-failed` where one failed */
export function tell(cli: Context, { notes, apps }: RefreshedAnswer): void {
  const { out } = cli;
  if (out.json) out.data({ notes, apps });
  else {
    for (const note of notes) out.note(note);
    if (apps.length === 0) out.print('No apps in config.json or in the apps folder.');
    else for (const line of tableLines(apps, columns, out)) out.print(line);
  }
  const failed = apps.filter(({ outcome }) => outcome === 'failed').map(({ app }) => app);
  if (failed.length > 0) throw new Refusal('conflict', 'refresh-failed', `Failed: ${failed.join(', ')}.`);
}

const columns: Column<AppOutcome>[] = [
  { title: 'app', value: ({ app }) => app, colour: () => 'bold' },
  { title: 'outcome', value: ({ outcome }) => outcome, colour: ({ outcome }) => COLOURS[outcome] },
  { title: 'why', value: ({ sentence }) => sentence },
];
