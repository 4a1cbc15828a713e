import { parseUrl as readUrl } from '../lib/parse-url.js';
import { usage } from './failures.js';

/**
 * Returns a server's URL without a trailing slash.
 * @param what names the input in the refusal
 * @throws Refusal `usage`
 */
export function parseUrl(text: string, what: string): string {
  const url = readUrl(text);
  const plain = url !== undefined && url.username === '' && url.password === '' && url.search === '' && url.hash === '';
  if (!plain || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    throw usage(
      `Invalid URL in ${what}. Use one such as https://apps.example.com, without user name, query or fragment.`,
    );
  }
  return url.href.replace(/\/+$/, '');
}

/** Returns whether requests to the URL stay on this machine. */
export function isLoopback(url: string): boolean {
  const { hostname } = new URL(url);
  return hostname === 'localhost' || hostname.endsWith('.localhost') || hostname === '[::1]' || /^127\./.test(hostname);
}
