import { describe, expect, it } from 'vitest';
import { parseExtraPath, redirectOf } from '../../../../src/domain/in-place/extra-paths.js';

describe('an extra path', () => {
  it.each([
    ['/sales/', '/sales/'],
    ['sales', '/sales/'],
    ['/tools/sales-2.1', '/tools/sales-2.1/'],
    ['/Größe/', '/Größe/'],
  ])('%s is %s', (text, path) => {
    expect(parseExtraPath(text)).toEqual({ path });
  });

  it.each([
    '/',
    '',
    '/console/',
    '/API/x',
    '/apps/sales/',
    '/healthz',
    '/_host/x',
    '/a b/',
    '/a?b',
    '/../x',
    '/%2e/',
    '/a//../b',
  ])('%s is none', (text) => {
    expect(parseExtraPath(text)).toHaveProperty('mistake');
  });
});

describe('a redirect', () => {
  const apps = [
    { id: 'one', path: '/sales/' },
    { id: 'two', path: '/sales/map/' },
    { id: 'three', path: '/größe/' },
    { id: 'four' },
  ];

  it.each([
    ['/sales', '/apps/one/'],
    ['/sales/', '/apps/one/'],
    ['/sales/page/a%20b', '/apps/one/page/a%20b'],
    ['/sales/map/x', '/apps/two/x'],
    ['/gr%C3%B6%C3%9Fe/', '/apps/three/'],
  ])('of %s leads to %s', (path, to) => {
    expect(redirectOf(path, apps)).toBe(to);
  });

  it.each(['/', '/salesman', '/x/sales/', '//sales', '/%E0%A4%A', '/sale'])('of %s there is none', (path) => {
    expect(redirectOf(path, apps)).toBeUndefined();
  });
});
