import { expect, test } from 'vitest';
import { Refusal } from '../../../src/errors.js';
import { isApi, problemOf } from '../../../src/web/problem.js';

test('a refusal is reported unchanged, with its code and field', () => {
  const refusal = new Refusal('conflict', 'app-name-taken', 'There is an app "x" already.', { field: 'name' });
  expect(problemOf(refusal, '/api/apps')).toEqual({
    type: 'urn:streamlit-host:problem:app-name-taken',
    title: 'Conflict',
    status: 409,
    detail: 'There is an app "x" already.',
    code: 'app-name-taken',
    field: 'name',
    instance: '/api/apps',
  });
});

test('an unexpected error reveals no details', () => {
  for (const thrown of [
    new Error('password is hunter2'),
    'hunter2',
    Object.assign(new Error('hunter2'), { status: 500, expose: true }),
    Object.assign(new Error('hunter2'), { status: 404 }),
  ]) {
    const problem = problemOf(thrown, '/x');
    expect(problem).toMatchObject({ status: 500, code: 'internal-error' });
    expect(JSON.stringify(problem)).not.toContain('hunter2');
  }
});

test.each([
  ['LIMIT_FILE_SIZE', 413],
  ['LIMIT_FILE_COUNT', 413],
  ['LIMIT_PART_COUNT', 413],
  ['LIMIT_FIELD_VALUE', 413],
  ['LIMIT_FIELD_NESTING', 422],
  ['MISSING_FIELD_NAME', 422],
])('%s of an upload is %i and names the field', (code, status) => {
  const error = Object.assign(new Error('File too large'), { name: 'MulterError', code, field: 'app' });
  expect(problemOf(error, '/')).toMatchObject({ status, field: 'app' });
});

test('API paths are recognised in any case', () => {
  for (const path of ['/api', '/api/', '/api/apps', '/API/apps']) expect(isApi(path)).toBe(true);
  for (const path of ['/', '/apis', '/console/api', '/apps/api/']) expect(isApi(path)).toBe(false);
});
