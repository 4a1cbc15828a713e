import { expect, it } from 'vitest';
import { installFailure, isDiskFull } from '../../../src/environments/failures.js';
import { CommandFailed } from '../../../src/environments/run.js';
import { Refusal } from '../../../src/errors.js';

const failed = (reason: CommandFailed['reason'], lines: string[] = []): CommandFailed =>
  new CommandFailed(['uv', 'pip'], reason, 'uv failed.', { code: 1, lines });

it('a failed install is reported in one sentence about the dependency file', () => {
  const failure = installFailure(failed('exit', ['error: Because x was not found']), 'requirements.txt');
  expect(failure).toBeInstanceOf(Refusal);
  expect(failure).toMatchObject({ kind: 'invalid', code: 'build-failed', field: 'requirements.txt' });
  expect((failure as Refusal).message).toMatch(/^[A-Z].*\.$/);
});

it("a full disk is the server's problem, not that of the packages", () => {
  const full = failed('exit', ['error: No space left on device (os error 28)']);
  const system = Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
  for (const error of [full, system]) {
    expect(isDiskFull(error)).toBe(true);
    expect(installFailure(error, 'requirements.txt')).toMatchObject({ kind: 'unavailable', code: 'disk-full' });
  }
  expect(isDiskFull(failed('exit', ['error: no such package']))).toBe(false);
});

it('a cancelled install is reported as cancelled, not failed', () => {
  expect(installFailure(failed('aborted'), 'requirements.txt')).toMatchObject({ code: 'build-cancelled' });
});

it('other errors stay unchanged', () => {
  for (const error of [new Error('a defect'), failed('missing'), 'thrown text'])
    expect(installFailure(error, 'requirements.txt')).toBe(error);
});

it('hides credentials in URLs before a reason is cut', () => {
  const token = 'secret'.repeat(40);
  const failure = installFailure(
    failed('exit', ['error: Git operation failed', `  cause: failed to fetch \`http://${token}@host/x.git\``]),
    'requirements.txt',
  ) as Refusal;
  expect(failure.message).toBe('Git operation failed: failed to fetch `http://••••@host/x.git`.');
});

it('with several indexes, a package that none has may be one that its index keeps to itself', () => {
  const lines = [
    'error: No solution found',
    '  cause: Because x was not found in the package registry and you require x',
  ];
  const message = (many: boolean): string =>
    (installFailure(failed('exit', lines), 'requirements.txt', many) as Refusal).message;
  expect(message(false)).toBe('No package named x was found.');
  expect(message(true)).toBe(
    'No package named x was found. If it is on a private index, check the credentials of that index.',
  );
});
