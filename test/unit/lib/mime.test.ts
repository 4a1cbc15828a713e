import { expect, it } from 'vitest';
import { contentType } from '../../../src/lib/mime.js';

it.each([
  ['index.abc.js', 'text/javascript; charset=utf-8'],
  ['css/page.css', 'text/css; charset=utf-8'],
  ['manifest.json', 'application/json'],
  ['index.js.map', 'application/json'],
  ['logo.svg', 'image/svg+xml'],
  ['module.wasm', 'application/wasm'],
  ['font.ttf', 'font/ttf'],
  ['font.woff', 'font/woff'],
  ['font.woff2', 'font/woff2'],
  ['picture.png', 'image/png'],
  ['favicon.ico', 'image/x-icon'],
  ['site.webmanifest', 'application/manifest+json'],
  ['unknown.abc', undefined],
])('%s is sent as %s', (name, type) => expect(contentType(name)).toBe(type));
