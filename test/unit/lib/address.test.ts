import { expect, it } from 'vitest';
import { authorityOf } from '../../../src/lib/address.js';

it.each([
  [{ host: '127.0.0.1', port: 8501 }, '127.0.0.1:8501'],
  [{ host: 'app-1.internal', port: 80 }, 'app-1.internal:80'],
  [{ host: '::1', port: 8501 }, '[::1]:8501'],
])('an address is written as in a URL: %o', (address, text) => {
  expect(authorityOf(address)).toBe(text);
  expect(new URL(`http://${text}/`).hostname).toBe(address.host.includes(':') ? `[${address.host}]` : address.host);
});
