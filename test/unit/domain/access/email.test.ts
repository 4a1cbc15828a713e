import { expect, test } from 'vitest';
import { emailOf, parseEmail } from '../../../../src/domain/access/email.js';

test.each([
  ['ada@example.com', 'ada@example.com'],
  ['  Ada.Lovelace+x@Sub.Example.COM ', 'ada.lovelace+x@sub.example.com'],
  ['root@localhost', 'root@localhost'],
])('%j is an email address', (text, email) => {
  expect(parseEmail(text)).toBe(email);
});

test.each(['', 'ada', '@example.com', 'ada@', 'ada@-x.com', 'a b@example.com', 'ada@example..com', 'ädä@example.com'])(
  '%j is not an email address',
  (text) => {
    expect(emailOf(text)).toBeUndefined();
    expect(() => parseEmail(text)).toThrow(/such as ada@example\.com/);
  },
);

test('an email address that is too long, or could break a header, is refused', () => {
  expect(emailOf(`${'a'.repeat(64)}@${`${'b'.repeat(60)}.`.repeat(4)}com`)).toBeUndefined();
  expect(emailOf('ada@example.com\r\nX-Admin: yes')).toBeUndefined();
});
