import { expect, it } from 'vitest';
import { nameOf } from '../../../src/domain/access/origins.js';
import { isOurHost, type HostRule } from '../../../src/gateway/hosts.js';

const RULE: HostRule = { publicBase: 'https://apps.example.com:8443/base', bind: '127.0.0.1', named: ['lab.local'] };

it.each([
  'apps.example.com',
  'APPS.example.com:8443',
  'apps.example.com:1',
  'apps.example.com.',
  'lab.local:5000',
  'localhost',
  'app.localhost:5000',
  '127.0.0.1:5000',
  '127.9.9.9',
  '[::1]:5000',
  undefined,
])('a request may name the host %s', (host) => {
  expect(isOurHost(host, RULE)).toBe(true);
});

it.each([
  'evil.example',
  'apps.example.com.evil.example',
  'evilapps.example.com',
  'localhost.evil.example',
  'notlocalhost',
  '127.0.0.1.evil.example',
  '192.168.0.7',
  '[fe80::1]',
  '',
  'apps.example.com/x',
  'user@apps.example.com',
  'apps.example.com, evil.example',
])('a request may not name the host %j', (host) => {
  expect(isOurHost(host, RULE)).toBe(false);
});

it('any IP address is accepted if the server is reachable by address, and still no other name', () => {
  const open = { ...RULE, bind: '0.0.0.0' };
  for (const host of ['192.168.0.7:5000', '[fe80::1]:5000']) expect(isOurHost(host, open)).toBe(true);
  for (const host of ['evil.example', '192.168.0.7.evil.example']) expect(isOurHost(host, open)).toBe(false);
});

it('a host is compared without port, brackets and trailing dot, in lower case', () => {
  expect(['A.b.:1', '[::1]:2', '[::1]', 'x:123456', 'a b'].map(nameOf)).toEqual([
    'a.b',
    '::1',
    '::1',
    undefined,
    undefined,
  ]);
});
