import { expect, it } from 'vitest';
import { buildVars } from '../../../../src/domain/python/build-vars.js';

const VARS = {
  API_KEY: 'k',
  INDEX_TOKEN: 't',
  PIP_EXTRA_INDEX_URL: 'https://u:p@host/simple https://other/simple',
  UV_INDEX: 'corp=https://host/simple',
  UV_INDEX_CORP_PASSWORD: '/p',
};

it('a build gets the config vars that its files name, and those of indexes, and no others', () => {
  expect(Object.keys(buildVars(VARS, ['INDEX_TOKEN'], [], 'requirements.txt'))).toEqual([
    'INDEX_TOKEN',
    'PIP_EXTRA_INDEX_URL',
    'UV_INDEX',
    'UV_INDEX_CORP_PASSWORD',
  ]);
  expect(buildVars({ API_KEY: 'k' }, [], [], 'requirements.txt')).toEqual({});
});

it('a var that is named and not set is named, unless the server sets it', () => {
  expect(() => buildVars({}, ['INDEX_TOKEN'], [], 'requirements.txt')).toThrow(
    "requirements.txt uses the config var INDEX_TOKEN, which is not set. Set it in the app's config, then push again.",
  );
  expect(buildVars({}, ['UV_INDEX_URL'], ['UV_INDEX_URL'], 'requirements.txt')).toEqual({});
});

it.each(['/srv/simple', 'file:///srv/simple', 'https://host/simple,/srv/simple', 'https://host/simple /srv'])(
  'an index of the app cannot be %j, a place on this machine',
  (value) => {
    for (const name of ['PIP_INDEX_URL', 'UV_INDEX', 'UV_DEFAULT_INDEX'])
      expect(() => buildVars({ [name]: value }, [], [], 'requirements.txt')).toThrow(`The config var ${name} is not`);
  },
);
