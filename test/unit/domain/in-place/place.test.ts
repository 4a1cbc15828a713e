import { expect, it } from 'vitest';
import { isCode, isForeignFolder, runsAlike, type Place } from '../../../../src/domain/in-place/place.js';

it.each([
  'app.py',
  'pages/1_Map.py',
  'streamlit-host.toml',
  '.streamlit/config.toml',
  'uv.lock',
  'requirements.txt',
  'requirements-dev.txt',
  'Pipfile',
  'environment.yml',
])('a change of %s requires a restart', (path) => {
  expect(isCode(path)).toBe(true);
});

it.each(['data.csv', 'readme.txt', '.streamlit/secrets.toml', 'model.pkl', 'app.pyc', 'notes.md', 'db.sqlite'])(
  'a change of %s requires no restart',
  (path) => {
    expect(isCode(path)).toBe(false);
  },
);

it('a new folder, main file, environment or port requires a restart, and a new crash rule does not', () => {
  const place: Place = { key: 'a', dir: '/a', main: '/a/app.py', port: 8501, restartOnCrash: true, watch: false };
  expect(runsAlike(place, { ...place, key: 'b', restartOnCrash: false, watch: true })).toBe(true);
  for (const change of [{ dir: '/b' }, { main: '/a/b.py' }, { venv: '/v' }, { port: 8502 }])
    expect(runsAlike(place, { ...place, ...change })).toBe(false);
});

it.each(['venv', 'env', '.venv', '.git', '__pycache__', 'node_modules', 'site-packages'])(
  'the folder %s is not part of an app',
  (name) => {
    expect(isForeignFolder(name)).toBe(true);
  },
);

it.each(['pages', 'data', '.streamlit', 'environment'])('the folder %s is part of an app', (name) => {
  expect(isForeignFolder(name)).toBe(false);
});
