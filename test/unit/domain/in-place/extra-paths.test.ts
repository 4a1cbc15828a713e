import { expect, it } from 'vitest';
import { parseExtraPath, redirectOf } from '../../../../src/domain/in-place/extra-paths.js';

it.each([
  ['/sales/', '/sales/'],
  ['sales', '/sales/'],
  ['/tools/sales-2.1', '/tools/sales-2.1/'],
  ['/Größe/', '/Größe/'],
])('the extra path %s becomes %s', (text, path) => {
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
])('%s is not a valid extra path', (text) => {
  expect(parseExtraPath(text)).toHaveProperty('mistake');
});

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
])('%s redirects to %s', (path, to) => {
  expect(redirectOf(path, apps)).toBe(to);
});

it.each(['/', '/salesman', '/x/sales/', '//sales', '/%E0%A4%A', '/sale'])('%s does not redirect', (path) => {
  expect(redirectOf(path, apps)).toBeUndefined();
});
