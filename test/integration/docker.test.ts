import { spawnSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { ROOT } from '../helpers/host.js';

/** Compose as a part of docker, or as the program of its own that Debian has. */
const compose = [['docker', 'compose'], ['docker-compose']].find(
  ([command = '', ...args]) => spawnSync(command, [...args, 'version']).status === 0,
);

interface Composed {
  services: Record<
    string,
    { ports?: unknown[]; environment?: Record<string, string>; volumes?: unknown[]; command?: string[] }
  >;
}

function config(env: Record<string, string>): Composed {
  const [command = '', ...args] = compose ?? [];
  const answer = spawnSync(command, [...args, '-f', join(ROOT, 'docker-compose.yml'), 'config'], {
    env: { PATH: process.env.PATH, ...env },
    encoding: 'utf8',
  });
  expect(answer.status, answer.stderr).toBe(0);
  return parse(answer.stdout) as Composed;
}

describe.skipIf(compose === undefined)('docker-compose.yml (needs docker compose)', () => {
  it('moves the port and URL with the two lines in env.example, and keeps all data on volumes', async () => {
    const lines = (await readFile(join(ROOT, 'env.example'), 'utf8')).split('\n').filter((line) => /^[A-Z]/.test(line));
    expect(lines.map((line) => line.split('=')[0])).toEqual(['HOST_PORT', 'STREAMLIT_HOST_PUBLIC_BASE']);
    const { services } = config({ HOST_PORT: '18080', STREAMLIT_HOST_PUBLIC_BASE: 'http://apps.example:18080' });
    expect(JSON.stringify(services.host?.ports)).toContain('18080');
    expect(services.host?.environment?.STREAMLIT_HOST_PUBLIC_BASE).toBe('http://apps.example:18080');
    expect(services.host?.volumes).toHaveLength(1);
    expect(services.redis?.volumes).toHaveLength(1);
  });

  it('has a Redis that persists its data', () => {
    expect(config({}).services.redis?.command?.join(' ')).toBe(
      'redis-server --appendonly yes --maxmemory-policy noeviction',
    );
  });
});
