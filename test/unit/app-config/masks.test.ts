import { beforeEach, expect, it } from 'vitest';
import { Masks, type MasksOptions } from '../../../src/app-config/masks.js';
import { newApp, type App } from '../../../src/domain/app/app.js';
import { newPreview } from '../../../src/domain/app/preview.js';
import { Refusal } from '../../../src/errors.js';

const hello = newApp('hello', 'Hello', new Date());
const preview = newPreview('hello--fix', hello, 'fix', new Date());
const apps = new Map<string, App>([hello, preview].map((app) => [app.id, app]));

let said: unknown[];
beforeEach(() => {
  said = [];
});

function masks(parts: { mask?: MasksOptions['configs']['mask']; cookie?: () => Promise<string> }): Masks {
  return new Masks({
    store: { find: (id) => apps.get(id) },
    configs: { mask: parts.mask ?? (() => Promise.resolve((text) => text)) },
    cookies: { of: parts.cookie ?? (() => Promise.resolve('the-cookie-secret')) },
    logger: { error: (facts, text) => void said.push({ ...facts, text }) },
  });
}

const hiding = (value: string) => (text: string) => text.replaceAll(value, '••••');

it("a mask hides an app's values, and passwords in URLs, in its deploy log", async () => {
  const hide = await masks({ mask: () => Promise.resolve(hiding('hunter2')) }).forDeploy('hello');
  expect(hide('hunter2 at https://ada:pass@example.com/')).toBe('•••• at https://••••@example.com/');
});

it('a mask hides what it can if the values cannot be read, and logs that', async () => {
  const error = new Error('no key');
  const hide = await masks({ mask: () => Promise.reject(error) }).forDeploy('hello');
  expect(hide('plain at https://ada:pass@example.com/')).toBe('plain at https://••••@example.com/');
  expect(said).toEqual([{ app: 'hello', err: error, text: "an app's config cannot be read" }]);
});

it('reading logs is refused if the values cannot be read', async () => {
  const unreadable = masks({ mask: () => Promise.reject(new Refusal('unavailable', 'vault-key-missing', 'No key.')) });
  await expect(unreadable.of('hello')).rejects.toMatchObject({ code: 'vault-key-missing' });
});

it('a mask hides the cookie secret, and works without one that cannot be read', async () => {
  expect((await masks({}).of('hello'))('the-cookie-secret')).toBe('••••');
  const locked = masks({ cookie: () => Promise.reject(new Refusal('unavailable', 'vault-key-missing', 'No key.')) });
  expect((await locked.of('hello'))('the-cookie-secret')).toBe('the-cookie-secret');
});

it("a preview's mask also hides its app's values", async () => {
  const values: Record<string, string> = { hello: 'parent', 'hello--fix': 'child' };
  const both = masks({ mask: (id) => Promise.resolve(hiding(values[id] ?? '-')) });
  expect((await both.of('hello--fix'))('parent child')).toBe('•••• ••••');
  expect((await both.of('hello'))('parent child')).toBe('•••• child');
});
