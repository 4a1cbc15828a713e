import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { OngoingDeploys } from '../../../src/deploys/ongoing.js';
import { Paths } from '../../../src/store/paths.js';
import { releaseOf } from '../../helpers/release.js';

let paths: Paths;
let deploys: OngoingDeploys;
let said: string[];
/** What keeps all deploys from running. */
let trouble: string | undefined;

beforeEach(async () => {
  paths = new Paths(await mkdtemp(join(tmpdir(), 'ongoing-')));
  deploys = new OngoingDeploys({
    paths,
    readiness: { why: () => Promise.resolve(trouble) },
    masks: { forDeploy: () => Promise.resolve((text) => text.replace('secret', '••••')) },
  });
  said = [];
  trouble = undefined;
});
afterEach(async () => {
  vi.useRealTimers();
  await rm(paths.data, { recursive: true, force: true });
});

it('an ongoing deploy is the same for everyone who asks, until all are told that it ended', async () => {
  const [one, same] = await Promise.all([deploys.open('hello', 3), deploys.open('hello', 3)]);
  expect(same).toBe(one);
  expect(deploys.find('hello', 3)).toBe(one);
  one.follow((line) => said.push(line));
  one.log.output('the secret');
  const ended = releaseOf(3, 'live');
  deploys.close('hello', ended);
  expect(await one.done).toBe(ended);
  expect([deploys.find('hello', 3), deploys.list()]).toEqual([undefined, []]);
  expect(said).toEqual(['         the ••••']);
});

it('an ongoing deploy says that it is queued, and not once it has started or ended', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const [waits, begins, ends] = await Promise.all([1, 2, 3].map((number) => deploys.open('hello', number)));
  for (const one of [waits, begins, ends]) one?.follow((line) => said.push(`${one.release}: ${line.trim()}`));
  begins?.begin();
  deploys.close('hello', releaseOf(3, 'cancelled'));
  await vi.advanceTimersByTimeAsync(10_000);
  expect(said).toEqual([expect.stringMatching(/^1: .*Queued behind other deploys/)]);
  deploys.close('hello', releaseOf(1, 'live'));
  await Promise.all([waits?.done, ends?.done]);
});

it('a deploy that cannot run says what it waits for within 3 s, and again when that changes', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  trouble = 'Redis does not answer.';
  const one = await deploys.open('hello', 1);
  one.follow((line) => said.push(line.replace(/^.*s {2}/, '')));
  await vi.advanceTimersByTimeAsync(3_000);
  expect(said).toEqual(['Waiting. Redis does not answer.']);
  trouble = undefined;
  await vi.advanceTimersByTimeAsync(10_000);
  expect(said).toEqual(['Waiting. Redis does not answer.', 'Queued behind other deploys']);
  deploys.close('hello', releaseOf(1, 'live'));
  await one.done;
});
