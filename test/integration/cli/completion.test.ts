import { execFile } from 'node:child_process';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { completion } from '../../../src/cli/completion.js';
import type { Context } from '../../../src/cli/context.js';
import { createProgram, verbsOf } from '../../../src/cli/program.js';

const exec = promisify(execFile);
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'completion-'));
  // What tells the names of the apps.
  await writeFile(join(folder, 'streamlit-host'), '#!/bin/sh\nprintf "hello\\ndashboard\\n"\n');
  await chmod(join(folder, 'streamlit-host'), 0o755);
  await writeFile(join(folder, 'completion.bash'), await scriptFor('bash'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function scriptFor(shell: string): Promise<string> {
  let text = '';
  const verbs = verbsOf(createProgram(() => ({}) as Context, '1.2.3'));
  await completion({ out: { write: (part: string) => (text += part) } } as unknown as Context, shell, verbs);
  return text;
}

/** What bash offers for the last of the words. */
async function offered(...words: string[]): Promise<string[]> {
  const script = `source ./completion.bash; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _streamlit_host; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const env = { ...process.env, PATH: `${folder}:${process.env.PATH ?? ''}` };
  const { stdout } = await exec('bash', ['--norc', '-c', script, 'bash', 'streamlit-host', ...words], {
    cwd: folder,
    env,
  });
  return stdout.split('\n').filter((word) => word !== '');
}

it('completion in bash offers verbs', async () => {
  expect(await offered('sta')).toEqual(['start', 'status']);
  expect(await offered('--url', 'https://x', 'lo')).toEqual(['logs', 'login', 'login-link']);
});

it('completion in bash offers app ids to the verbs that take one, and to no others', async () => {
  expect(await offered('logs', 'h')).toEqual(['hello']);
  expect(await offered('stop', 'd')).toEqual(['dashboard']);
  expect(await offered('create', 'h')).toEqual([]);
});

it("completion in bash offers the verb's own options and the global ones", async () => {
  expect(await offered('logs', '--f')).toEqual(['--follow']);
  expect(await offered('delete', '--con')).toEqual(['--confirm']);
  expect(await offered('status', '--js')).toEqual(['--json']);
  expect(await offered('status', '--follow')).toEqual([]);
});

it('completion in bash offers shells to completion', async () => {
  expect(await offered('completion', '')).toEqual(expect.arrayContaining(['bash', 'zsh', 'fish']));
});
