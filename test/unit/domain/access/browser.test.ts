import { expect, it } from 'vitest';
import { browserOf, isBrowser, isServiceWorker } from '../../../../src/domain/access/browser.js';

it.each([{ 'service-worker': 'script' }, { 'sec-fetch-dest': 'serviceworker' }])(
  'a request with %j is for a service worker',
  (headers) => {
    expect(isServiceWorker(headers)).toBe(true);
  },
);

it.each([{}, { 'sec-fetch-dest': 'script' }, { 'sec-fetch-dest': 'worker' }, { referer: '/service-worker' }])(
  'a request with %j is not for a service worker',
  (headers) => {
    expect(isServiceWorker(headers)).toBe(false);
  },
);

it.each([{ 'sec-fetch-site': 'none' }, { 'sec-fetch-dest': 'document' }, { 'user-agent': 'Mozilla/5.0 (X11)' }])(
  'a request with %j comes from a browser',
  (headers) => {
    expect(isBrowser(headers)).toBe(true);
  },
);

it.each([{}, { 'user-agent': 'curl/8' }, { 'user-agent': 'not Mozilla/5.0' }, { 'sec-fetch-mode': 'cors' }])(
  'a request with %j comes from a program',
  (headers) => {
    expect(isBrowser(headers)).toBe(false);
  },
);

it.each([
  ['Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0', 'Firefox on Linux'],
  [
    'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36 Edg/140.0',
    'Edge on Windows',
  ],
  [
    'Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Mobile Safari/537.36',
    'Chrome on Android',
  ],
  [
    'Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1 Version/18.0 Mobile Safari/604.1',
    'Safari on iOS',
  ],
  ['curl/8.0', 'Another browser'],
  ['', 'Another browser'],
])('a browser that calls itself %s has a name that people know', (agent, name) => {
  expect(browserOf(agent)).toBe(name);
});
