import { describe, expect, it } from 'vitest';
import { isCode, isForeignFolder, runsAlike, type Place } from '../../../../src/domain/in-place/place.js';

describe('what asks for a restart', () => {
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
  ])('%s does', (path) => {
    expect(isCode(path)).toBe(true);
  });

  it.each(['data.csv', 'readme.txt', '.streamlit/secrets.toml', 'model.pkl', 'app.pyc', 'notes.md', 'db.sqlite'])(
    '%s does not',
    (path) => {
      expect(isCode(path)).toBe(false);
    },
  );

  it('is another folder, main file, environment or port, and not another answer to a crash', () => {
    const place: Place = { key: 'a', dir: '/a', main: '/a/app.py', port: 8501, restartOnCrash: true, watch: false };
    expect(runsAlike(place, { ...place, key: 'b', restartOnCrash: false, watch: true })).toBe(true);
    for (const change of [{ dir: '/b' }, { main: '/a/b.py' }, { venv: '/v' }, { port: 8502 }])
      expect(runsAlike(place, { ...place, ...change })).toBe(false);
  });
});

describe('folders below an app', () => {
  it.each(['venv', 'env', '.venv', '.git', '__pycache__', 'node_modules', 'site-packages'])(
    '%s is none of it',
    (name) => {
      expect(isForeignFolder(name)).toBe(true);
    },
  );

  it.each(['pages', 'data', '.streamlit', 'environment'])('%s is', (name) => {
    expect(isForeignFolder(name)).toBe(false);
  });
});
