import { expect, it } from 'vitest';
import type { Api } from '../../../src/cli/api.js';
import type { Context } from '../../../src/cli/context.js';
import { doctor } from '../../../src/cli/doctor.js';

/** What it prints of these checks. */
async function shown(
  checks: { name: string; ok: boolean; message: string }[],
  json = false,
  repairs?: { ok: boolean; message: string }[],
): Promise<string[]> {
  const printed: string[] = [];
  const out = {
    json,
    print: (line: string) => printed.push(line),
    note: (line: string) => printed.push(line),
    data: (data: unknown) => printed.push(JSON.stringify(data)),
    paint: (_: string, text: string) => text,
  };
  const api = { get: () => Promise.resolve({ checks }), post: () => Promise.resolve({ repairs }) };
  const cli = { out, api: () => Promise.resolve(api as unknown as Api) } as unknown as Context;
  const work = doctor(cli, { fix: repairs !== undefined });
  const bad = checks.filter(({ ok }) => !ok).map(({ name }) => name);
  if (bad.length === 0) await work;
  else await expect(work).rejects.toMatchObject({ message: `Problems found: ${bad.join(', ')}.` });
  return printed;
}

const well = { name: 'redis', ok: true, message: 'Redis answers.' };
const ill = { name: 'cage', ok: false, message: 'No cage works here.\u001b[2J' };

it('the doctor shows a line for each check, without control characters, and fails where one does', async () => {
  expect(await shown([ill, well])).toEqual([
    'problem  cage   No cage works here.?[2J',
    'ok       redis  Redis answers.',
  ]);
  expect(await shown([well])).toHaveLength(1);
});

it('the doctor tells scripts the same as JSON', async () => {
  expect((await shown([ill, well], true)).map((line) => JSON.parse(line) as unknown)).toEqual([
    { checks: [ill, well] },
  ]);
});

it('the doctor repairs only with --fix, and shows a line for each repair', async () => {
  const done = { ok: true, message: 'Deleted a lock.' };
  const failed = { ok: false, message: 'A mode could not be repaired.' };
  const ok = 'ok       redis  Redis answers.';
  expect(await shown([well], false, [done, failed])).toEqual([
    'fixed    Deleted a lock.',
    'problem  A mode could not be repaired.',
    ok,
  ]);
  expect(await shown([well], false, [])).toEqual(['Nothing to fix.', ok]);
  expect((await shown([well], true, [done])).map((line) => JSON.parse(line) as unknown)).toEqual([
    { repairs: [done], checks: [well] },
  ]);
});
