import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { stat } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { claimData } from '../../../src/store/lock.js';
import { scratch } from '../../helpers/ends.js';

it('a claim on a data folder ends the moment its process is killed', async () => {
  const folder = await scratch('lock-');
  const { dev, ino } = await stat(folder, { bigint: true });
  const script = `require('net').createServer().listen('\\0streamlit-host/${dev}/${ino}', () => console.log('held'))`;
  const holder = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(holder.stdout, 'data');
  expect(await claimData(folder)).toBeUndefined();
  holder.kill('SIGKILL');
  await once(holder, 'exit');
  expect(await claimData(folder)).toBeDefined();
});
