import { expect, it } from 'vitest';
import { TrustedProxies, isProxyEntry, networkOf } from '../../../../src/domain/access/visitor.js';

const proxies = new TrustedProxies(['127.0.0.1', '10.0.0.0/8', '2001:db8::/32']);
const asked = (remoteAddress: string | undefined, headers: Record<string, string | string[]> = {}): unknown =>
  proxies.visitor({ socket: { remoteAddress } as never, headers });

it('without a proxy the visitor is the peer of the connection, whatever the headers say', () => {
  const claims = { 'x-forwarded-for': '1.2.3.4', forwarded: 'for=1.2.3.4;proto=https', 'x-forwarded-proto': 'https' };
  expect(asked('203.0.113.9', claims)).toEqual({ address: '203.0.113.9', proto: undefined });
  expect(asked('127.0.0.2', claims)).toEqual({ address: '127.0.0.2', proto: undefined });
  expect(asked(undefined, claims)).toEqual({ address: '', proto: undefined });
  expect(new TrustedProxies([]).visitor({ socket: { remoteAddress: '127.0.0.1' } as never, headers: claims })).toEqual({
    address: '127.0.0.1',
    proto: undefined,
  });
});

it.each([
  ['the one that it names', { 'x-forwarded-for': '203.0.113.9' }, '203.0.113.9', undefined],
  ['with the protocol', { 'x-forwarded-for': '203.0.113.9', 'x-forwarded-proto': 'https' }, '203.0.113.9', 'https'],
  [
    'the rightmost that is not trusted',
    { 'x-forwarded-for': '6.6.6.6, 203.0.113.9, 10.1.2.3' },
    '203.0.113.9',
    undefined,
  ],
  ['of several headers as well', { 'x-forwarded-for': ['6.6.6.6', '203.0.113.9'] }, '203.0.113.9', undefined],
  ['with a port', { 'x-forwarded-for': '203.0.113.9:4711' }, '203.0.113.9', undefined],
  ['by IPv6', { 'x-forwarded-for': '[2001:470::1]:4711' }, '2001:470::1', undefined],
  ['the proxy where all are trusted', { 'x-forwarded-for': '10.1.1.1, 10.2.2.2' }, '10.1.1.1', undefined],
  ['the proxy where it names nobody', {}, '127.0.0.1', undefined],
  [
    'the proxy where the list ends with nonsense',
    { 'x-forwarded-for': '203.0.113.9, unknown' },
    '127.0.0.1',
    undefined,
  ],
  ['by Forwarded', { forwarded: 'for=6.6.6.6, for=203.0.113.9;proto=https;by=10.0.0.1' }, '203.0.113.9', 'https'],
  ['by Forwarded, quoted', { forwarded: 'proto=http; For="[2001:470::1]:4711"' }, '2001:470::1', 'http'],
  [
    'by Forwarded before the other',
    { forwarded: 'for=203.0.113.9', 'x-forwarded-for': '6.6.6.6' },
    '203.0.113.9',
    undefined,
  ],
  ['the proxy where it is hidden', { forwarded: 'for=_hidden;proto=https' }, '127.0.0.1', 'https'],
  [
    'a protocol that is none',
    { 'x-forwarded-for': '203.0.113.9', 'x-forwarded-proto': 'gopher' },
    '203.0.113.9',
    undefined,
  ],
] as const)('behind a trusted proxy the visitor is %s', (_what, headers, address, proto) => {
  expect(asked('127.0.0.1', headers as never)).toEqual({ address, proto });
});

it('a proxy is recognised by its address in either form', () => {
  expect(asked('::ffff:10.9.8.7', { 'x-forwarded-for': '203.0.113.9' })).toMatchObject({ address: '203.0.113.9' });
  expect(asked('2001:db8:1::1', { 'x-forwarded-for': '203.0.113.9' })).toMatchObject({ address: '203.0.113.9' });
});

it('proxies are configured by address or network', () => {
  for (const text of ['127.0.0.1', '::1', '10.0.0.0/8', '2001:db8::/32'])
    expect([text, isProxyEntry(text)]).toEqual([text, true]);
  for (const text of ['', 'proxy', '10.0.0.0/33', '10.0.0.0/', '::1/129', '1.2.3', '10.0.0.0/8/8'])
    expect([text, isProxyEntry(text)]).toEqual([text, false]);
});

it.each([
  ['192.0.2.1', '192.0.2.1'],
  ['::ffff:192.0.2.1', '192.0.2.1'],
  ['2001:db8::1', '2001:db8:0:0::/64'],
  ['2001:0DB8:0001:0002:3:4:5:6', '2001:db8:1:2::/64'],
  ['::1', '0:0:0:0::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ['64:ff9b:1:2::192.0.2.1', '64:ff9b:1:2::/64'],
  ['1:2::3:4:5:192.0.2.1', '1:2:0:3::/64'],
  ['', ''],
])('the network of %j is %j', (address, network) => {
  expect(networkOf(address)).toBe(network);
});
