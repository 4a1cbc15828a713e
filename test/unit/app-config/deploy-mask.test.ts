import { expect, it } from 'vitest';
import { deployMask } from '../../../src/app-config/deploy-mask.js';

const said: unknown[] = [];
const logger = { error: (facts: object, text: string): void => void said.push({ ...facts, text }) };

it("hides an app's values, and passwords in addresses, in the log of its deploy", async () => {
  const hide = await deployMask(
    { mask: () => Promise.resolve((text) => text.replaceAll('hunter2', '••••')) },
    'hello',
    logger,
  );
  expect(hide('hunter2 at https://ada:pass@example.com/')).toBe('•••• at https://••••@example.com/');
});

it('hides what it can where the values cannot be read, which is told', async () => {
  const error = new Error('no key');
  const hide = await deployMask({ mask: () => Promise.reject(error) }, 'hello', logger);
  expect(hide('plain at https://ada:pass@example.com/')).toBe('plain at https://••••@example.com/');
  expect(said).toEqual([{ app: 'hello', err: error, text: "an app's config cannot be read" }]);
});
