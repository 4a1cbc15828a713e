import { expect, onTestFinished, test, vi } from 'vitest';
import type { AppListener, AppStatus } from '../../../src/host/apps.js';
import { Photographer } from '../../../src/pictures/photographer.js';
import { newApp, type App } from '../../../src/domain/app/app.js';

/** A photographer on a machine without a Chromium: what it would have taken is what it asked for one for. */
function start(...apps: App[]): {
  tell: (id: string, facts?: Partial<App>) => void;
  lines: string[];
  asked: () => number;
  close: () => Promise<void>;
} {
  const known = new Map<string, AppStatus>(apps.map((app) => [app.id, { app, state: 'running', process: undefined }]));
  const listeners = new Set<AppListener>();
  const lines: string[] = [];
  let asked = 0;
  const say = (facts: object, text: string): void => void lines.push(`${(facts as { app: string }).app}: ${text}`);
  const photographer = new Photographer({
    apps: {
      list: () => [...known.values()],
      subscribe(listener) {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
    },
    pictures: { keep: () => Promise.reject(new Error('there is none to keep')) },
    chromium: async () => {
      asked += 1;
      return undefined;
    },
    path: '',
    tmp: '/nowhere',
    mark: 'none',
    local: 'http://127.0.0.1:1',
    afterMs: 20,
    logger: { debug: say, warn: say },
  });
  onTestFinished(() => photographer.close());
  return {
    tell(id, facts) {
      const before = known.get(id);
      if (facts === undefined || before === undefined) known.delete(id);
      else known.set(id, { ...before, app: { ...before.app, ...facts } });
      for (const listener of listeners) listener(id, known.get(id));
    },
    lines,
    asked: () => asked,
    close: () => photographer.close(),
  };
}

const app = (id: string, facts: Partial<App> = {}): App => ({ ...newApp(id, id, new Date()), ...facts });
const NONE = 'no picture was taken: the app failed to render, or Chromium is not available';

test('a picture is taken when a new release is live, one app at a time, and at no other change', async () => {
  const { tell, lines, asked } = start(app('one', { live: 1 }), app('two'));
  tell('one', { description: 'other words' });
  tell('one', { asleep: true });
  tell('one', { asleep: false });
  tell('two', { live: 1 });
  tell('one', { live: 2 });
  await vi.waitFor(() => expect(lines).toHaveLength(2), 20_000);
  expect(lines).toEqual([`two: ${NONE}`, `one: ${NONE}`]);
  expect(asked()).toBe(2);
});

test('a picture is cancelled for an app that sleeps, stops or is deleted, and started over for a newer release', async () => {
  const { tell, lines, asked } = start(app('one'), app('two'), app('three'));
  tell('one', { live: 1 });
  tell('one', { live: 1, asleep: true });
  await vi.waitFor(() => expect(lines).toHaveLength(1), 20_000);
  tell('two', { live: 1 });
  tell('two', { live: 2 });
  await vi.waitFor(() => expect(lines).toHaveLength(3), 20_000);
  tell('three', { live: 1 });
  tell('three');
  await vi.waitFor(() => expect(lines).toHaveLength(4), 20_000);
  expect(lines).toEqual([
    'one: a picture was cancelled',
    'two: a picture was cancelled',
    `two: ${NONE}`,
    'three: a picture was cancelled',
  ]);
  expect(asked()).toBe(1);
});

test('closing the photographer cancels its picture at once, and starts no other', async () => {
  const { tell, lines, asked, close } = start(app('one'), app('two'));
  tell('one', { live: 1 });
  tell('two', { live: 1 });
  await close();
  expect(lines).toEqual(['one: a picture was cancelled']);
  tell('two', { live: 2 });
  expect(asked()).toBe(0);
});
