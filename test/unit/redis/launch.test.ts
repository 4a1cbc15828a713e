import { expect, it } from 'vitest';
import { saysDataIsBroken, StartError } from '../../../src/redis/launch.js';

/** Lines as Redis logs them. */
function log(...texts: string[]): string {
  return texts.map((text) => `77:M 21 Nov 2026 23:02:29.887 # ${text}\n`).join('');
}

function crash(report: string): string {
  return `a.c:1: Assertion failed.\n\n=== REDIS BUG REPORT START: Cut here\n${report}\naof_enabled:0\n`;
}

it.each([
  ['Bad file format reading the append only file a.aof: make a backup', true],
  ['Fatal error loading the DB, check server logs. Exiting.', true],
  ["Can't handle RDB format version 80", true],
  ["Can't open the append-only file a.aof: Permission denied", false],
  ['Error writing the AOF file: No space left on device', false],
  ['Failed opening Unix socket: bind: Address already in use', false],
])(
  'the output of a Redis that did not start distinguishes broken data from a disk, memory or permission problem: %s',
  (text, broken) => {
    expect(saysDataIsBroken(log('Server initialized', text))).toBe(broken);
  },
);

it('the output of a Redis that did not start distinguishes a crash over broken data from other crashes', () => {
  expect(saysDataIsBroken(crash('redis-server(loadAppendOnlyFiles+0x390)[0x55]'))).toBe(true);
  expect(saysDataIsBroken(crash('# Persistence\r\nloading:1\r'))).toBe(true);
  expect(saysDataIsBroken(crash('redis-server(initServer+0x390)[0x55]\nloading:0'))).toBe(false);
  expect(saysDataIsBroken('')).toBe(false);
});

it('the output of a Redis that did not start becomes one sentence: the last line without its timestamp', () => {
  expect(new StartError(log('First.', 'Exiting now.')).message).toBe('Exiting now');
  expect(new StartError('*** FATAL CONFIG FILE ERROR ***\nBad directive\n').message).toBe('Bad directive');
  expect(new StartError(crash('main')).message).toBe('a.c:1: Assertion failed');
  expect(new StartError('').message).toBe('it exited without output');
});
