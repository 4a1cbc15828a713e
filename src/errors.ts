import { maskUrls } from './lib/mask-urls.js';

/** What kind of refusal an error is; the shells (HTTP, git, CLI) turn it into their own code. */
export type ErrorKind =
  'invalid' | 'unauthorised' | 'forbidden' | 'not-found' | 'conflict' | 'too-large' | 'unavailable';

const STATUS: Record<ErrorKind, number> = {
  invalid: 422,
  unauthorised: 401,
  forbidden: 403,
  'not-found': 404,
  conflict: 409,
  'too-large': 413,
  unavailable: 503,
};

/**
 * Every code that a Refusal can have. Scripts rely on them, so none changes its name or its meaning; a new one is added
 * here first.
 */
export const refusalCodes = [
  'account-disabled',
  'account-only',
  'admin-only',
  'already-joined',
  'already-running',
  'app-exists',
  'app-exited',
  'app-file-invalid',
  'app-going',
  'app-id-invalid',
  'app-id-reserved',
  'app-in-place',
  'app-name-missing',
  'app-name-taken',
  'app-not-found',
  'app-not-listening',
  'app-not-running',
  'app-not-started',
  'app-start-aborted',
  'app-unreadable',
  'archive-bomb',
  'archive-broken',
  'archive-empty',
  'archive-encrypted',
  'archive-link',
  'archive-special-file',
  'archive-too-large',
  'archive-too-many-files',
  'archive-unknown',
  'audit-broken',
  'backup-key-missing',
  'backup-running',
  'backup-unreadable',
  'body-missing',
  'body-not-text',
  'body-too-large',
  'branch-deploys',
  'branch-fixed',
  'branch-has-preview',
  'branch-in-the-way',
  'branch-invalid',
  'branch-moved',
  'branch-not-found',
  'build-cancelled',
  'build-failed',
  'cage-not-allowed',
  'cage-unavailable',
  'cage-untried',
  'cannot-listen',
  'check-failed',
  'checks-failed',
  'ci-audience-wrong',
  'ci-issuer-unknown',
  'ci-issuer-unreachable',
  'ci-job-not-trusted',
  'ci-jobs-too-many',
  'ci-not-trusted',
  'ci-rule-invalid',
  'ci-rule-not-found',
  'ci-rules-too-many',
  'ci-token-expired',
  'ci-token-invalid',
  'ci-token-used',
  'command-aborted',
  'command-exit',
  'command-idle',
  'command-missing',
  'command-timeout',
  'commit-invalid',
  'commit-missing',
  'config-broken',
  'config-invalid',
  'config-missing',
  'confirm-missing',
  'csrf-token-missing',
  'csrf-token-wrong',
  'data-not-readable',
  'data-not-writable',
  'deploy-building',
  'deploy-cancelled',
  'deploy-failed',
  'deploy-queued',
  'deploy-starting',
  'deploy-superseded',
  'destination-address-invalid',
  'destination-not-found',
  'destination-secret-invalid',
  'destinations-too-many',
  'disk-full',
  'disk-low',
  'disk-read-only',
  'docker-unavailable',
  'drain-address-invalid',
  'drain-not-found',
  'drain-token-invalid',
  'drains-too-many',
  'email-invalid',
  'email-missing',
  'email-taken',
  'email-unverified',
  'env-file-invalid',
  'field-invalid',
  'file-changed',
  'file-exists',
  'file-not-found',
  'file-too-large',
  'files-missing',
  'folder-empty',
  'folder-gone',
  'folder-missing',
  'folder-not-found',
  'form-not-saved',
  'git-failed',
  'git-missing',
  'group-invalid',
  'groups-too-many',
  'handed-over',
  'handover-failed',
  'import-missing',
  'last-admin',
  'last-owner',
  'layout-invalid',
  'left',
  'lfs-no-room',
  'lfs-object-invalid',
  'lfs-object-lost',
  'lfs-object-missing',
  'lfs-pointer',
  'lfs-request-invalid',
  'lfs-size-missing',
  'link-outside',
  'link-used',
  'logged-in-already',
  'login-not-allowed',
  'mail-not-set',
  'main-missing',
  'main-outside',
  'no-checkout',
  'no-credential-helper',
  'no-entrypoint',
  'no-requirements',
  'no-server',
  'not-delivered',
  'not-from-the-console',
  'not-in-place',
  'not-invited',
  'not-reachable',
  'not-restarted',
  'not-scaled',
  'not-signed-in',
  'not-wanted',
  'nothing-before',
  'nothing-deployed',
  'origin-invalid',
  'origins-too-many',
  'packages-invalid',
  'packages-missing',
  'packages-not-installed',
  'packages-unknown',
  'passkey-expired',
  'passkey-name-invalid',
  'passkey-not-found',
  'passkey-taken',
  'passkey-unavailable',
  'passkey-wrong',
  'passkeys-too-many',
  'password-missing',
  'password-weak',
  'password-wrong',
  'path-missing',
  'path-not-utf8',
  'path-reserved',
  'path-taken',
  'path-twice',
  'path-unsafe',
  'person-name-invalid',
  'picture-not-found',
  'ports-used-up',
  'preview-alerts',
  'preview-id-taken',
  'preview-not-found',
  'preview-not-pushable',
  'preview-of-preview',
  'preview-roles',
  'previews-off',
  'project-too-large',
  'project-too-many-files',
  'project-unreadable',
  'provider-answer-invalid',
  'provider-login-expired',
  'provider-not-found',
  'provider-refused',
  'provider-unreachable',
  'proxy-headers-invalid',
  'push-option-invalid',
  'python-invalid',
  'python-missing',
  'python-too-old',
  'python-unusable',
  'reader-unavailable',
  'record-unreadable',
  'redis-unavailable',
  'refresh-failed',
  'registry-unavailable',
  'release-in-place',
  'release-is-live',
  'release-never-live',
  'release-not-built',
  'release-not-found',
  'reload-failed',
  'reload-in-progress',
  'requirements-missing',
  'requirements-outside',
  'requirements-unreadable',
  'requirements-unsupported',
  'restore-interrupted',
  'restore-not-empty',
  'role-missing',
  'root-missing',
  's3-failed',
  's3-not-set',
  'scope-missing',
  'script-failed',
  'second-factor-missing',
  'second-factor-required',
  'second-factor-there',
  'second-factor-wrong',
  'secrets-changed',
  'secrets-empty',
  'secrets-invalid',
  'secrets-missing',
  'secrets-too-large',
  'session-not-found',
  'set-up-expired',
  'share-name-invalid',
  'share-not-found',
  'shares-too-many',
  'start-failed',
  'stopping',
  'streamlit-too-old',
  'submodule',
  'swarm-address-missing',
  'swarm-address-unusable',
  'swarm-data-misplaced',
  'swarm-manager-missing',
  'token-app-missing',
  'token-ended',
  'token-name-invalid',
  'token-not-found',
  'token-not-login',
  'token-wrong',
  'tokens-too-many',
  'too-many-attempts',
  'too-many-files',
  'too-many-open-files',
  'upload-too-large',
  'usage',
  'user-disabled',
  'user-not-found',
  'uv-missing',
  'var-name-invalid',
  'var-name-reserved',
  'var-not-found',
  'var-value-invalid',
  'vars-too-large',
  'vault-file-damaged',
  'vault-key-missing',
  'vault-key-unreadable',
  'vault-key-wrong',
  'venv-missing',
  'visit-password-missing',
] as const;

/** A stable, kebab-case name for what went wrong, such as `app-not-found`. */
export type RefusalCode = (typeof refusalCodes)[number];

/**
 * An expected error: its message says in full sentences what is wrong and what to do next.
 * It is shown as it is, but credentials in URLs are hidden; anything that is not a Refusal is a defect, logged with its stack
 * and never shown.
 */
export class Refusal extends Error {
  readonly code: RefusalCode;
  readonly kind: ErrorKind;
  /** The input at fault, where there is one. */
  readonly field: string | undefined;
  /** What could be meant instead, the likeliest first. */
  readonly choices: readonly string[];

  constructor(
    kind: ErrorKind,
    code: RefusalCode,
    message: string,
    options: { field?: string | undefined; choices?: readonly string[] | undefined; cause?: unknown } = {},
  ) {
    super(maskUrls(message), options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'Refusal';
    this.kind = kind;
    this.code = code;
    this.field = options.field;
    this.choices = options.choices ?? [];
  }

  /** The HTTP status of this kind of refusal. */
  get status(): number {
    return STATUS[this.kind];
  }
}

/** What was expected of an error: a refusal is, and so is that the disk is full or read-only or no more files can be opened, wherever that is met. */
export function refusalOf(error: unknown): Refusal | undefined {
  if (error instanceof Refusal) return error;
  if (isDiskFull(error)) {
    const sentence = "The server's disk is full. Free some space and try again.";
    return new Refusal('unavailable', 'disk-full', sentence, { cause: error });
  }
  if (isOutOfFiles(error)) {
    const sentence = 'The server has too many open files at the moment. Try again.';
    return new Refusal('unavailable', 'too-many-open-files', sentence, { cause: error });
  }
  if (!isUnwritable(error)) return undefined;
  const sentence = "The server's disk is read-only. Mount it for writing and try again.";
  return new Refusal('unavailable', 'disk-read-only', sentence, { cause: error });
}

/** True where something failed because the server, or the machine, can open no more files. */
export function isOutOfFiles(error: unknown): boolean {
  if (hasCode(error, 'EMFILE') || hasCode(error, 'ENFILE')) return true;
  return error instanceof Error && error.cause !== undefined && isOutOfFiles(error.cause);
}

/** True where something failed because no space was left, as the system says it or a program that was run. */
export function isDiskFull(error: unknown): boolean {
  if (hasCode(error, 'ENOSPC') || hasCode(error, 'EDQUOT')) return true;
  const stderr = error instanceof Error && 'stderr' in error ? error.stderr : undefined;
  return /\bENOSPC\b|\bEDQUOT\b|No space left on device|Disk quota exceeded/.test(
    `${messageOf(error)}\n${typeof stderr === 'string' ? stderr : ''}`,
  );
}

/** True where nothing can be written to a disk: it is full, or read-only. */
export function isUnwritable(error: unknown): boolean {
  return isDiskFull(error) || hasCode(error, 'EROFS');
}

/** The text of whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** True where an error carries this Node or system code, such as `ENOENT`. */
export function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
