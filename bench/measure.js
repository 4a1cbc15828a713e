// What the benchmarks share.
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildModules, ROOT } from '../scripts/lib/setup.js';

/** Single modules of src, by their names. @returns what all of them export */
export async function modules(...names) {
  const folder = await mkdtemp(join(tmpdir(), 'bench-modules-'));
  try {
    await buildModules(ROOT, folder, names);
    const loaded = await Promise.all(names.map((name) => import(join(folder, `${name}.js`))));
    return Object.assign({}, ...loaded);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Runs a command to its end. @returns what it printed; rejects with that where it fails */
export function runToEnd(command, args, { cwd, env }) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    child.stdout.on('data', (chunk) => (output += chunk));
    child.stderr.on('data', (chunk) => (output += chunk));
    child.once('error', reject);
    child.once('close', (code) =>
      code === 0 ? resolve(output) : reject(new Error(`${command} ${args.join(' ')} ended with ${code}:\n${output}`)),
    );
  });
}

export function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}
