import { expect, it } from 'vitest';
import { maskUrls } from '../../../src/lib/mask-urls.js';

it.each([
  ['https://user:pass@host/x', 'https://••••@host/x'],
  ['git+https://token@host/x.git', 'git+https://••••@host/x.git'],
  ['https://user:p@ss@host', 'https://••••@host'],
  ['two: http://a:b@c http://d:e@f', 'two: http://••••@c http://••••@f'],
  ['ssh://git@host/x', 'ssh://git@host/x'],
  ['redis://:secret@host', 'redis://••••@host'],
  ['https://host/path@2', 'https://host/path@2'],
  ['https://host:8080/path@2', 'https://host:8080/path@2'],
  ['GIT+HTTP://Token@Host/x', 'GIT+HTTP://••••@Host/x'],
  ['https://user:pa/ss#w?rd@host/x', 'https://••••@host/x'],
  ['https://host/x?user=a&access_token=abc&b=1', 'https://host/x?user=a&access_token=••••&b=1'],
  ['https://host/x.whl?sv=1&sig=ab%2Fc%3D', 'https://host/x.whl?sv=1&sig=••••'],
  ['https://host/x?X-Amz-Signature=abc&monkey=1', 'https://host/x?X-Amz-Signature=••••&monkey=1'],
  ['mail me@example.com', 'mail me@example.com'],
])('maskUrls turns %s into %s', (text, masked) => {
  expect(maskUrls(text)).toBe(masked);
});
