import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { holdsSecrets, isLeftOut } from '../../../src/lib/left-out.js';

it('caches, environments and files of git and of the machine are left out, whatever their case', () => {
  for (const path of [
    '.git/config',
    'a/.git',
    'venv/bin/python',
    'a/__pycache__/b.pyc',
    'node_modules/x/y.js',
    '.DS_Store',
  ])
    expect(isLeftOut(path), path).toBe(true);
  for (const path of ['.gitignore', 'venv.py', 'node_modules', '.streamlit/config.toml', 'environment/a.py'])
    expect(isLeftOut(path), path).toBe(false);
});

const SECRET = [
  '.env',
  'a/.env',
  '.env.local',
  '.env.production',
  '.streamlit/secrets.toml',
  'a/.streamlit/secrets.toml',
];
const OPEN = ['.env.example', '.env.sample', '.env.template', 'env', '.environment', 'secrets.toml', 'x.env', '.envrc'];

it('files with secrets are known by their names; examples of them are not among them', () => {
  for (const path of SECRET) expect(holdsSecrets(path), path).toBe(true);
  for (const path of OPEN) expect(holdsSecrets(path), path).toBe(false);
});

it('the browser knows the same files with secrets', () => {
  const script = readFileSync(join(import.meta.dirname, '../../../public/js/upload.js'), 'utf8');
  const pattern = new RegExp(/^const SECRETS = \/(.*)\/;$/m.exec(script)?.[1] ?? 'nothing');
  for (const path of SECRET) expect(pattern.test(path), path).toBe(true);
  for (const path of OPEN) expect(pattern.test(path), path).toBe(false);
});
