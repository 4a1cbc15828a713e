import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');

/** What a function is called that reads bytes or text. */
const READS = /^export (?:async )?function \*?((?:parse|read|decode|translate|inspect|unpack|claims|hear)\w*|open\b)/gm;

/** What needs no entry of its own in test/fuzz, and why. */
const ELSEWHERE: Record<string, readonly string[]> = {
  'reads what the operator sets or the machine has': [
    ...['inspectPlace', 'parsePipConf', 'parsePlace', 'readLoginRules', 'readMachine', 'readProviders'],
    ...['parseIssuer', 'readProxyLogin', 'readPython', 'readUvSettings'],
  ],
  'reads what the server itself has written': [
    ...['decodeColumns', 'decodeRow', 'readBlock', 'readIndex', 'readJournal', 'readServerRecord'],
  ],
  'finds files or parts of them, and reads no form': [
    ...['readAll', 'readBackwards', 'readFrontendFile', 'readRegular'],
    ...['readTopFile', 'readEarly'],
  ],
  'is called by one that is there': [
    ...['parseGroup', 'parseRequirements', 'parseUrl', 'readBody', 'readYaml', 'translateConda', 'translatePipfile'],
    ...['translatePipfileLock', 'translatePoetryLock', 'translatePyproject'],
  ],
};

function filesBelow(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => readFileSync(join(ROOT, folder, name), 'utf8'));
}

test('whatever reads bytes from outside gets odd inputs, or it is said why not', () => {
  const tried = new Set(filesBelow('test/fuzz').flatMap((text) => text.match(/\w+/g) ?? []));
  const rooms = readdirSync(join(ROOT, 'src'), { withFileTypes: true })
    // Of the command line, whoever runs it is at fault.
    .filter((entry) => entry.isDirectory() && entry.name !== 'cli')
    .map(({ name }) => `src/${name}`);
  const readers = rooms.flatMap(filesBelow).flatMap((text) => [...text.matchAll(READS)].map(([, name = '']) => name));
  expect(readers.length).toBeGreaterThan(50);
  const elsewhere = Object.values(ELSEWHERE).flat();
  expect(readers.filter((name) => !tried.has(name) && !elsewhere.includes(name))).toEqual([]);
  expect(elsewhere.filter((name) => tried.has(name) || !readers.includes(name))).toEqual([]);
});
