import { describe, expect, test } from 'vitest';
import { appsBaseFor, withPort } from '../../../../src/domain/access/origins.js';

describe('the URL of the apps', () => {
  const [ours, theirs] = ['http://host.example:8080/tools', 'http://host.example:8081/tools'];

  test.each([
    ['host.example:8080', theirs],
    [undefined, theirs],
    ['not a host', theirs],
    ['10.1.2.3:8080', 'http://10.1.2.3:8081/tools'],
    ['[::1]:8080', 'http://[::1]:8081/tools'],
    ['other.example', 'http://other.example:8081/tools'],
  ])('follows the host name that the visitor used: %s', (host, base) => {
    expect(appsBaseFor(host, ours, theirs)).toBe(base);
  });

  test('is the configured one if it has its own name or a certificate', () => {
    expect(appsBaseFor('10.1.2.3', 'http://a.example', 'http://b.example')).toBe('http://b.example');
    expect(appsBaseFor('10.1.2.3', 'https://a.example', 'https://a.example:8443')).toBe('https://a.example:8443');
  });

  test('is the public URL with another port', () => {
    expect(withPort('http://host.example/tools', 8081)).toBe('http://host.example:8081/tools');
    expect(withPort('http://[::1]:8080', 80)).toBe('http://[::1]');
  });
});
