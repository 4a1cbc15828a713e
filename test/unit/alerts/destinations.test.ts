import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { system } from '../../../src/domain/access/principal.js';
import { Destinations, shownAddress, type NewDestination } from '../../../src/alerts/destinations.js';
import { MACHINE } from '../../../src/alerts/problems.js';
import { Paths } from '../../../src/store/paths.js';
import { Vault } from '../../../src/store/vault.js';

let paths: Paths;
let vault: Vault;

beforeEach(async () => {
  paths = new Paths(await mkdtemp(join(tmpdir(), 'destinations-')));
  for (const folder of [paths.app('shop'), paths.alerts]) await mkdir(folder, { recursive: true });
  vault = new Vault(paths);
  await vault.open();
});
afterEach(() => rm(paths.data, { recursive: true, force: true }));

const slack: NewDestination = { kind: 'slack', address: 'https://hooks.example/services/T0/B0/secret-part' };

it('destinations are kept encrypted, for an app and for the machine, and survive a change of keys', async () => {
  const destinations = new Destinations(vault);
  const added = await destinations.add('shop', slack, system('ada'), false);
  await destinations.add(MACHINE, { kind: 'email', address: 'Ops@Example.com', name: ' Ops ' }, system('admin'), true);
  expect(await readFile(join(paths.app('shop'), 'destinations.enc'), 'utf8')).not.toContain('hooks');
  expect(await readFile(join(paths.alerts, 'destinations.enc'), 'utf8')).not.toContain('example');
  expect((await vault.rotate()).files).toBe(2);
  const again = new Destinations(vault);
  expect(await again.of('shop')).toEqual([added]);
  expect(shownAddress(added)).toBe('hooks.example');
  expect(await again.of(MACHINE)).toMatchObject([{ address: 'ops@example.com', name: 'Ops', anywhere: true }]);
  await again.remove('shop', added.id);
  expect(await again.of('shop')).toEqual([]);
  await expect(again.remove('shop', added.id)).rejects.toMatchObject({ code: 'destination-not-found' });
});

it('a webhook gets a secret of the server, whatever it is given', async () => {
  const destinations = new Destinations(vault);
  const made = await destinations.add('shop', { ...slack, kind: 'webhook', secret: 'weak' }, system('ada'), false);
  expect(made.secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
});

it('a secret that no header can hold is refused', async () => {
  const destinations = new Destinations(vault);
  for (const secret of ['tk_ü', 'tk_a b', 'tk_a\r\nx-y: z'])
    await expect(
      destinations.add('shop', { kind: 'ntfy', address: 'https://ntfy.example/topic', secret }, system('ada'), false),
    ).rejects.toMatchObject({ code: 'destination-secret-invalid', field: 'secret' });
  expect(await destinations.of('shop')).toEqual([]);
});

it('addresses that cannot be right, and those that only an admin may add, are refused', async () => {
  const destinations = new Destinations(vault);
  const add = (kind: NewDestination['kind'], address: string, anywhere = false) =>
    destinations.add('shop', { kind, address }, system('ada'), anywhere);
  for (const [kind, address] of [
    ['email', 'ada'],
    ['email', 'ada@example.com\r\nBcc: eve@example.com'],
    ['slack', 'hooks.example'],
    ['slack', 'http://hooks.example/x'],
    ['slack', 'file:///etc/passwd'],
    ['slack', 'https://user:pass@hooks.example/x'],
    ['ntfy', 'https://ntfy.example/'],
  ] as const)
    await expect(add(kind, address), address).rejects.toMatchObject({ code: 'destination-address-invalid' });
  expect((await add('webhook', 'http://10.0.0.1/x', true)).anywhere).toBe(true);
  expect(await destinations.of('shop')).toHaveLength(1);
});

it('there are at most 20', async () => {
  const destinations = new Destinations(vault);
  for (let number = 0; number < 20; number += 1) await destinations.add('shop', slack, system('ada'), false);
  await expect(destinations.add('shop', slack, system('ada'), false)).rejects.toMatchObject({
    code: 'destinations-too-many',
  });
});
