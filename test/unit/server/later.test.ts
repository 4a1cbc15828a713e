import { expect, it } from 'vitest';
import { Later } from '../../../src/server/later.js';

const full = (): Error => Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' });

it('steps that a full disk prevents are done later, in order, and listed as missing until then', async () => {
  const said: string[] = [];
  const later = new Later({ warn: (_, text) => void said.push(text), info: (text) => void said.push(text) }, () =>
    Promise.resolve(true),
  );
  let room = false;
  const done: string[] = [];
  const step = (name: string) => async (): Promise<void> => {
    if (!room && name !== 'c') throw full();
    done.push(name);
  };
  for (const name of ['a', 'b', 'c']) await later.attempt(name, step(name));
  expect([later.missing, done, said.length]).toEqual([['a', 'b'], ['c'], 2]);
  await later.retry();
  expect(later.missing).toEqual(['a', 'b']);
  room = true;
  await later.retry();
  expect([later.missing, done, said.at(-1)]).toEqual([[], ['c', 'a', 'b'], 'The disk is writable again.']);
  await later.close();
});

it('a step that fails for any other reason fails the start', async () => {
  const later = new Later({ warn: () => undefined, info: () => undefined }, () => Promise.resolve(true));
  await expect(later.attempt('a', () => Promise.reject(new Error('a defect')))).rejects.toThrow('a defect');
  expect(later.missing).toEqual([]);
});

it('clean-up that fails for any other reason is logged, and the start continues', async () => {
  const said: string[] = [];
  const later = new Later({ warn: (_, text) => void said.push(text), info: () => undefined }, () =>
    Promise.resolve(true),
  );
  await later.tidy('remove old releases', () => Promise.reject(new Error('a defect')));
  expect([later.missing, said]).toEqual([[], ['Could not remove old releases. It is tried again at the next start.']]);
});

it('a step that fails without a reason is retried if the disk cannot be written', async () => {
  const later = new Later({ warn: () => undefined, info: () => undefined }, () => Promise.resolve(false));
  await later.attempt('a', () => Promise.reject(new Error("fatal: could not set 'core.filemode' to 'true'")));
  expect(later.missing).toEqual(['a']);
  const forbidden = Object.assign(new Error('EACCES: permission denied'), { code: 'EACCES' });
  await expect(later.attempt('b', () => Promise.reject(forbidden))).rejects.toThrow('EACCES');
  await later.close();
});
