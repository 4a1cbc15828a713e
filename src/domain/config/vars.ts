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
  [/^STREAMLIT_HOST_/, 'the server sets variables with this prefix'],
  [/^STREAMLIT_SECRETS_/, "the server sets it for Streamlit's secrets. Use the app's secrets instead"],
  [/^(PATH|HOME|VIRTUAL_ENV|PYTHONHOME|PYTHONUNBUFFERED)$/, "the server sets it for the app's environment"],
  [/^__proto__$/, 'it is not a valid name'],
];

/** The options of Streamlit's server that are an app's own choice. */
const FREE_OPTIONS = [
  'MAX_UPLOAD_SIZE',
  'MAX_MESSAGE_SIZE',
  'MAX_WIDGET_STATE_SIZE',
  'ENABLE_STATIC_SERVING',
  'ENABLE_WEBSOCKET_COMPRESSION',
  'DISABLE_DATA_EXPORT',
];

/** Why an option of Streamlit is the server's to set; undefined where it is not. */
function ownOption(section: string, words: string): string | undefined {
  if (section === 'SERVER' && FREE_OPTIONS.includes(words)) return undefined;
  if (section === 'LOGGER' && words !== 'HIDE_WELCOME_MESSAGE') return undefined;
  const name = words.toLowerCase().replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
  return `the server sets ${section.toLowerCase()}.${name} to run Streamlit behind its own address`;
}

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
      `"${printable(name)}" is not a valid name for a config var. Use up to ${VAR_LIMITS.nameLength} letters, digits and "_", not starting with a digit.`,
      { field },
    );
  }
  const option = /^STREAMLIT_(SERVER|BROWSER|GLOBAL|RUN|LOGGER)_([A-Z0-9_]+)$/.exec(name);
  const why = option === null ? undefined : ownOption(option[1] ?? '', option[2] ?? '');
  if (why !== undefined)
    throw new Refusal('invalid', 'var-name-reserved', `The name ${name} is reserved: ${why}.`, { field });
  const reserved = RESERVED.find(([pattern]) => pattern.test(name));
  if (reserved !== undefined) {
    throw new Refusal('invalid', 'var-name-reserved', `The name ${name} is reserved: ${reserved[1]}.`, { field });
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
        `The value of ${name} contains a NUL character, which environment variables cannot hold.`,
        {
          field: `vars.${name}`,
        },
      );
    }
    if (bytes > VAR_LIMITS.valueBytes) {
      throw new Refusal(
        'too-large',
        'vars-too-large',
        `The value of ${name} is larger than ${VAR_LIMITS.valueBytes / 1024} KiB. Keep it in a file in the app's storage instead.`,
        { field: `vars.${name}` },
      );
    }
  }
  if (Object.keys(vars).length > VAR_LIMITS.count || total > VAR_LIMITS.totalBytes) {
    throw new Refusal(
      'too-large',
      'vars-too-large',
      `An app can have at most ${VAR_LIMITS.count} config vars and ${VAR_LIMITS.totalBytes / 1024} KiB in total. Unset some first.`,
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
