import { expect, it } from 'vitest';
import { readOnlyWrite } from '../../../../src/domain/streamlit/read-only.js';

it.each([
  [["PermissionError: [Errno 13] Permission denied: 'data/out.csv'"], 'data/out.csv'],
  [['x', "  OSError: [Errno 30] Read-only file system: 'out.csv'", 'y'], 'out.csv'],
  [['sqlite3.OperationalError: attempt to write a readonly database'], 'its files'],
  [["ValueError: [Errno 13] Permission denied: 'x'"], undefined],
  [[], undefined],
])('of %j finds %j', (lines, path) => {
  expect(readOnlyWrite(lines)).toBe(path);
});
