import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { Logger } from '../../../src/logger.js';
import { greet, offerExample } from '../../../src/server/greeting.js';
import { Git } from '../../../src/store/git.js';
import { Paths } from '../../../src/store/paths.js';

let printed: string;
beforeEach(() => {
  printed = '';
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    printed += String(text);
    return true;
  });
});
afterEach(() => {
  vi.restoreAllMocks();
});

it('the greeting ends with the login link, each URL on its own line', () => {
  greet('https://apps.example.com/tools', 'abc', undefined);
  expect(printed.trim().split('\n')).toEqual([
    'streamlit-host is running at https://apps.example.com/tools/',
    '',
    '  Console (one-time login link):',
    '',
    '    https://apps.example.com/tools/console/login?code=abc',
  ]);
});

it('the greeting says where apps are served if that is elsewhere', () => {
  greet('http://a.test:8080', 'abc', undefined, 'http://a.test:8081');
  expect(printed).toContain('running at http://a.test:8080/\n  Apps are served at http://a.test:8081/apps/\n');
});

it('the greeting shows how to deploy the example if there is one', () => {
  greet('http://localhost:8080', 'abc', '/srv/data/example');
  expect(printed).toContain(
    '\n    cd /srv/data/example\n    git remote add host http://localhost:8080/git/hello.git\n',
  );
  expect(printed.trimEnd()).toMatch(/\n {4}git push host main$/);
});

it('the path of the example can be copied into a shell, whatever is in it', () => {
  greet('http://localhost:8080', 'abc', "/srv/Ada's data/$HOME");
  expect(printed).toContain("\n    cd '/srv/Ada'\\''s data/$HOME'\n");
});

it('an example that cannot be prepared does not prevent the start', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'greeting-'));
  try {
    await writeFile(join(folder, 'file'), '');
    const warned: string[] = [];
    const logger = { warn: (_facts: object, text: string) => void warned.push(text) } as unknown as Logger;
    const example = { from: folder, url: 'http://x', ownToken: true };
    expect(await offerExample(new Paths(join(folder, 'file')), new Git(''), example, logger)).toBeUndefined();
    expect(warned).toEqual(['the example app could not be prepared']);
  } finally {
    await rm(folder, { recursive: true });
  }
});
