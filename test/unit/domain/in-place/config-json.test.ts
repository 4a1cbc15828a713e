import { expect, it } from 'vitest';
import {
  changeConfigJson,
  rawEntries,
  readConfigJson,
  type ConfigJson,
} from '../../../../src/domain/in-place/config-json.js';

const folders = { base: '/srv/host', apps: '/srv/host/apps' };

function good(value: unknown): ConfigJson {
  const reading = readConfigJson(typeof value === 'string' ? value : JSON.stringify(value), folders);
  if ('mistakes' in reading) throw new Error(reading.mistakes.join('\n'));
  return reading.config;
}

function mistakes(value: unknown): string[] {
  const reading = readConfigJson(typeof value === 'string' ? value : JSON.stringify(value), folders);
  return 'mistakes' in reading ? reading.mistakes : [];
}

it('a config.json in its old format is read, with absolute paths and unknown keys left alone', () => {
  const config = good({
    website_port: 5000,
    owner: 'Ada',
    apps: {
      sales: {
        name: 'Sales',
        url: '/sales/',
        app: '/srv/apps/sales/app.py',
        venv: '/srv/venvs/a',
        port: 8501,
        description: 'What was sold',
        restart_on_crash: false,
        contact: 'x',
      },
      'My Map': { dir: 'maps', app: 'src/map.py', venv: 'env' },
      plain: { name: '', url: '', venv: '', app: null },
    },
  });
  expect(config).toEqual({
    websitePort: 5000,
    entries: [
      {
        id: 'sales',
        name: 'Sales',
        description: 'What was sold',
        path: '/sales/',
        place: {
          key: 'sales',
          dir: '/srv/apps/sales',
          main: '/srv/apps/sales/app.py',
          venv: '/srv/venvs/a',
          port: 8501,
          restartOnCrash: false,
          watch: false,
        },
      },
      {
        id: 'my-map',
        name: 'My Map',
        description: '',
        path: undefined,
        place: {
          key: 'My Map',
          dir: '/srv/host/maps',
          main: '/srv/host/maps/src/map.py',
          venv: '/srv/host/maps/env',
          restartOnCrash: true,
          watch: false,
        },
      },
      {
        id: 'plain',
        name: 'plain',
        description: '',
        path: undefined,
        place: { key: 'plain', dir: '/srv/host/apps/plain', restartOnCrash: true, watch: false },
      },
    ],
  });
});

it('a config.json may have no apps yet', () => {
  expect(good('{}').entries).toEqual([]);
  expect(good({ apps: null }).entries).toEqual([]);
});

it.each([
  [
    '{\n  "apps": {\n    "a": {"port": 1,}\n  }\n}',
    'line 3, column 21: invalid JSON (expected a name in double quotes).',
  ],
  ['{"apps": {} ', 'line 1, column 13: invalid JSON (close brace expected).'],
  ['// mine\n{}', 'line 1, column 1: invalid JSON (invalid comment token).'],
  ['', 'line 1, column 1: invalid JSON (expected a value).'],
])('a config.json that is not JSON is refused with line and column: %j', (text, mistake) => {
  expect(mistakes(text)).toEqual([mistake]);
});

it('a config.json has all its errors reported at once, each with its key', () => {
  expect(
    mistakes({ website_port: 0, apps: { a: { port: 'eighty', restart_on_crash: 'yes' }, b: { name: 7 }, c: [] } }),
  ).toEqual([
    'website_port must be a whole number from 1 to 65535 (found 0).',
    'apps.a.port must be a whole number from 1 to 65535 (found "eighty").',
    'apps.a.restart_on_crash must be true or false (found "yes").',
    'apps.b.name must be a string (found 7).',
    'apps.c must be an object: { … }.',
  ]);
  expect(mistakes('[]')).toEqual(['The file must contain an object: { "apps": { … } }.']);
});

it('a file that is nested too deeply is a mistake, whether it is complete or not', () => {
  for (const text of ['['.repeat(100_000), '{"apps":'.repeat(20_000), `${'['.repeat(50_000)}${']'.repeat(50_000)}`])
    expect(mistakes(text)).toEqual(['The file is nested too deeply.']);
});

it('a config.json with two apps for one url, port, id or key is refused with both names', () => {
  expect(mistakes({ apps: { one: { url: '/x', port: 8501 }, two: { url: 'x/', port: 8501 }, ONE: {} } })).toEqual([
    'apps.one and apps.ONE both become the app "one". Change one of the keys.',
    'apps.one.url and apps.two.url are both "/x/". Change one of them.',
    'apps.one.port and apps.two.port are both 8501. Change one of them.',
  ]);
  expect(mistakes('{"apps": {"a": {},\n "a": {}}}')).toEqual(['line 2, column 2: duplicate key apps.a.']);
});

it('a config.json cannot give an app a reserved path', () => {
  expect(mistakes({ apps: { a: { url: '/console/a' }, b: { url: '/' } } })).toEqual([
    'apps.a.url must not begin with "/console", which is reserved (found "/console/a").',
    'apps.b.url must be a path such as "/sales/", since "/" is the gallery (found "/").',
  ]);
});

const text =
  '{\n\t"note": "mine",\n\t"apps": {\n\t\t"2": {"name": "two",   "extra": [1, 2]},\n\t\t"1": {"name": "one"}\n\t},\n\t"website_port": 5000\n}\n';

it('a change of config.json keeps everything else: order, spaces, unknown keys', () => {
  const after = changeConfigJson(text, { apps: { new: { name: 'new', port: 8502 } } });
  expect(after).toContain('"2": {"name": "two",   "extra": [1, 2]}');
  expect(after).toContain('\t\t"new": {\n\t\t\t"name": "new",\n\t\t\t"port": 8502\n\t\t}');
  expect(after.indexOf('"2"')).toBeLessThan(after.indexOf('"1"'));
  const back = changeConfigJson(after, { apps: { new: undefined } });
  expect(back).toContain('"2": {"name": "two",   "extra": [1, 2]}');
  expect(JSON.parse(back)).toEqual(JSON.parse(text));
});

it('a change of config.json can create the file', () => {
  expect(changeConfigJson('', { websitePort: 80, apps: { a: { name: 'a' } } })).toBe(
    '{\n  "website_port": 80,\n  "apps": {\n    "a": {\n      "name": "a"\n    }\n  }\n}\n',
  );
  expect(rawEntries(changeConfigJson('{}', { apps: { a: { name: 'a' } } }))).toEqual({ a: { name: 'a' } });
});
