import { isAppVerb } from '../../domain/access/permissions.js';
import type { ProblemCode } from '../problem.js';
import { replaces, type Route } from './route.js';

type Codes = readonly ProblemCode[];

/** What every call can answer with: who asks is not known, or the server itself is in trouble. */
const ANY: Codes = [
  'not-signed-in',
  'token-wrong',
  'token-ended',
  'scope-missing',
  'token-app-missing',
  'too-many-attempts',
  'not-from-the-console',
  'csrf-token-missing',
  'csrf-token-wrong',
  'bad-request',
  'disk-full',
  'disk-low',
  'disk-read-only',
  'handed-over',
  'internal-error',
  'too-many-open-files',
];

/** What a call can answer with that anyone may make. */
const OPEN: Codes = [
  'too-many-attempts',
  'bad-request',
  'disk-full',
  'disk-read-only',
  'handed-over',
  'internal-error',
  'too-many-open-files',
];

/** A body of JSON, or of text in its place. */
const BODY: Codes = ['body-too-large', 'body-not-text', 'unsupported-media-type'];

const FORM: Codes = [
  'form-invalid',
  'form-too-many-fields',
  'field-too-large',
  'files-missing',
  'upload-too-large',
  'upload-too-many-files',
  'path-unsafe',
  'path-twice',
  'archive-unknown',
  'archive-broken',
  'archive-empty',
  'archive-encrypted',
  'archive-link',
  'archive-special-file',
  'archive-too-many-files',
  'archive-too-large',
  'archive-bomb',
];

/** The config of an app cannot be read or written. */
const VAULT: Codes = [
  'vault-key-missing',
  'vault-key-unreadable',
  'vault-key-wrong',
  'vault-file-damaged',
  'config-broken',
  'config-missing',
];

/** A deploy cannot be begun. */
const DEPLOY: Codes = ['branch-moved', 'app-going', 'stopping'];

/** A commit cannot become a release. */
const COMMIT: Codes = [
  ...DEPLOY,
  'app-in-place',
  'path-taken',
  'path-not-utf8',
  'submodule',
  'lfs-pointer',
  'link-outside',
  'file-too-large',
  'project-too-large',
  'project-too-many-files',
  'no-entrypoint',
  'root-missing',
  'no-requirements',
  'app-file-invalid',
  'packages-invalid',
  'python-invalid',
  'python-missing',
  'python-too-old',
  'requirements-missing',
  'requirements-outside',
  'requirements-unreadable',
  'requirements-unsupported',
  'streamlit-too-old',
];

/** An app's process cannot be started. */
const START: Codes = [
  ...VAULT,
  'nothing-deployed',
  'not-restarted',
  'release-not-built',
  'ports-used-up',
  'app-not-started',
  'app-exited',
  'app-not-listening',
  'app-start-aborted',
];

const VARS: Codes = ['var-name-invalid', 'var-name-reserved', 'var-value-invalid', 'vars-too-large'];
const SECRETS: Codes = ['secrets-invalid', 'secrets-too-large'];
const NEW: Codes = [
  'app-name-missing',
  'app-name-taken',
  'app-id-invalid',
  'app-id-reserved',
  'app-exists',
  'app-unreadable',
];

/** What several calls have in common. */
export const codes = {
  vault: VAULT,
  deploy: DEPLOY,
  commit: COMMIT,
  start: START,
  vars: VARS,
  secrets: SECRETS,
  newApp: NEW,
};

/** Every code that a call can answer with: its own, and those that follow from what it takes. */
export function codesOf(
  route: Pick<Route, 'method' | 'path' | 'can' | 'params' | 'query' | 'body' | 'codes'>,
): ProblemCode[] {
  const types = Object.keys(route.body ?? {});
  const found = [...(route.can === 'anyone' ? OPEN : ANY)];
  if (route.params !== undefined || route.query !== undefined || types.length > 0) found.push('field-invalid');
  if (route.can !== 'anyone' && !isAppVerb(route.can)) found.push('admin-only');
  if (route.path.includes('{id}')) found.push('app-not-found', 'role-missing');
  if (replaces(route)) found.push('body-missing');
  if (types.includes('application/json')) found.push(...BODY);
  if (types.includes('multipart/form-data')) found.push(...FORM);
  return [...new Set([...found, ...(route.codes ?? [])])].sort();
}
