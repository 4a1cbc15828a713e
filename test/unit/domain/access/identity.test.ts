import { expect, test } from 'vitest';
import { hasOwnLogin, IDENTITY_HEADERS, identityHeaders } from '../../../../src/domain/access/identity.js';

const ADA = { id: 'ada-ada-ada-', email: 'ada@example.com', name: 'Ada Løvelace', groups: ['sales', 'north'] };

test('a visitor is named to an app in headers that Streamlit reads', () => {
  expect(identityHeaders(ADA)).toEqual({
    'x-streamlit-host-email': 'ada@example.com',
    'x-streamlit-host-name': 'Ada Løvelace',
    'x-streamlit-host-groups': 'sales,north',
    'x-streamlit-host-id': 'ada-ada-ada-',
  });
  expect(Object.keys(IDENTITY_HEADERS).sort()).toEqual(Object.keys(identityHeaders(ADA)).sort());
});

test.each(['李', 'Ada\r\nX-Admin: yes', ''])('the name %j, which no header can hold, is left out', (name) => {
  expect(identityHeaders({ ...ADA, name })).not.toHaveProperty('x-streamlit-host-name');
});

test.each([
  '[auth]\n',
  '[ auth ]',
  '[auth.google]\nclient_id = "x"',
  'auth = { cookie_secret = "x" }',
  'auth.cookie_secret = "x"',
])('secrets with %j have a login of their own', (toml) => {
  expect(hasOwnLogin(`key = 1\n${toml}`)).toBe(true);
});

test.each(['', '[author]', 'auth_key = "x"', '# [auth]', '[db]\nauthor = "x"'])('secrets with %j have none', (toml) => {
  expect(hasOwnLogin(toml)).toBe(false);
});
