import { expect, it } from 'vitest';
import { isBrowser, isServiceWorker } from '../../../../src/domain/access/browser.js';

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
