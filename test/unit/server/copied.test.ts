import { expect, it } from 'vitest';
import { newApp, type App } from '../../../src/domain/app/app.js';
import { forgetCopied } from '../../../src/server/copied.js';

const record = (mark: string): App['processes'][number] => ({
  release: 1,
  runtime: 'process',
  port: 9_000,
  mark,
  startedAt: new Date(0).toISOString(),
});

it("a copied data folder forgets the other server's processes, and unaffected records are not written", async () => {
  const apps = [
    { ...newApp('one', 'One', new Date(0)), processes: [record('ours/one'), record('theirs/one')] },
    { ...newApp('two', 'Two', new Date(0)), processes: [record('ours/two')] },
  ];
  const written: App[] = [];
  await forgetCopied({
    store: {
      list: () => apps,
      update: (id, change) => {
        const app = change(apps.find((one) => one.id === id) as App);
        written.push(app);
        return Promise.resolve(app);
      },
    },
    runtime: { isForeign: ({ mark }) => Promise.resolve(mark.startsWith('theirs/')) },
  });
  expect(written.map(({ id, processes }) => [id, processes.map(({ mark }) => mark)])).toEqual([['one', ['ours/one']]]);
});
