import { Refusal } from '../../errors.js';
import { printable } from '../app/app.js';

/** The environment variables that an app's operator has set, by name. */
export type ConfigVars = Record<string, string>;

/** A change of some vars: null takes one away. */
export type VarsPatch = Record<string, string | null>;

/** A name that every shell and Python can say. */
const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** How much there may be; Linux takes at most 128 KiB for one variable (execve(2), MAX_ARG_STRLEN). */
export const VAR_LIMITS = { count: 200, nameLength: 100, valueBytes: 64 * 1024, totalBytes: 512 * 1024 };

/** Names that the server itself sets for an app, each kind with what to do instead. */
const RESERVED: readonly (readonly [RegExp, string])[] = [
  [/^STREAMLIT_HOST_/, 'with such names the server tells an app about itself'],
  [/^STREAMLIT_SECRETS_/, "the server tells Streamlit with it where the secrets are: set them as the app's secrets"],
  [
    /^STREAMLIT_(SERVER|BROWSER|GLOBAL|RUN)_|^STREAMLIT_(CLIENT_TOOLBAR_MODE|LOGGER_HIDE_WELCOME_MESSAGE)$/,
    'with it the server runs Streamlit',
  ],
  [/^(PATH|HOME|VIRTUAL_ENV|PYTHONHOME|PYTHONUNBUFFERED)$/, "the server sets it to the app's own environment"],
  [/^__proto__$/, 'it is no name for a variable'],
];

/**
 * Refuses a name that no var may have.
 * @throws Refusal `var-name-invalid`, `var-name-reserved`
 */
export function checkVarName(name: string): void {
  const field = `vars.${printable(name)}`;
  if (!NAME.test(name) || name.length > VAR_LIMITS.nameLength) {
    throw new Refusal(
      'invalid',
      'var-name-invalid',
      `"${printable(name)}" cannot be the name of a config var: use up to ${VAR_LIMITS.nameLength} letters, digits and "_", and no digit first.`,
      { field },
    );
  }
  const reserved = RESERVED.find(([pattern]) => pattern.test(name));
  if (reserved !== undefined) {
    throw new Refusal('invalid', 'var-name-reserved', `${name} cannot be set: ${reserved[1]}.`, { field });
  }
}

/**
 * Refuses vars that could not become the environment of a process. No value is ever part of a sentence.
 * @throws Refusal `var-name-invalid`, `var-name-reserved`, `var-value-invalid`, `vars-too-large`
 */
export function checkVars(vars: ConfigVars): void {
  let total = 0;
  for (const [name, value] of Object.entries(vars)) {
    checkVarName(name);
    const bytes = Buffer.byteLength(value);
    total += name.length + bytes + 2;
    if (value.includes('\0')) {
      throw new Refusal(
        'invalid',
        'var-value-invalid',
        `The value of ${name} holds a NUL character, which no environment variable can.`,
        {
          field: `vars.${name}`,
        },
      );
    }
    if (bytes > VAR_LIMITS.valueBytes) {
      throw new Refusal(
        'too-large',
        'vars-too-large',
        `The value of ${name} is larger than ${VAR_LIMITS.valueBytes / 1024} KiB: keep it in a file of the app's storage.`,
        { field: `vars.${name}` },
      );
    }
  }
  if (Object.keys(vars).length > VAR_LIMITS.count || total > VAR_LIMITS.totalBytes) {
    throw new Refusal(
      'too-large',
      'vars-too-large',
      `An app may have ${VAR_LIMITS.count} config vars of ${VAR_LIMITS.totalBytes / 1024} KiB together: take some away first.`,
      { field: 'vars' },
    );
  }
}

/** The vars with a change applied, in the order of their names. */
export function mergeVars(vars: ConfigVars, patch: VarsPatch): ConfigVars {
  const merged = new Map<string, string | null>([...Object.entries(vars), ...Object.entries(patch)]);
  const set = [...merged].filter((entry): entry is [string, string] => entry[1] !== null);
  return Object.fromEntries(set.sort(([a], [b]) => (a < b ? -1 : 1)));
}
