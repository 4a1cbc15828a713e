import { parse, stringify, TomlError, type TomlTable } from 'smol-toml';
import { Refusal } from '../../errors.js';
import { longLine } from '../project/long-lines.js';

/** The most that a secrets.toml may have, in bytes. */
export const SECRETS_BYTES = 256 * 1024;
/** The longest line that they may have, in characters: a whole key may stand in one. */
const MAX_SECRET_LINE = 64 * 1024;
/** How deep their tables may lie in one another. */
const MAX_DEPTH = 100;
/** A key that would make more: its reader takes far longer for such a key than for the same text elsewhere. */
const DEEP_KEY = /^[ \t[]*(?:[\w-]+[ \t]*\.[ \t]*){100}/m;

/** What may be told of secrets: never a value. */
export interface SecretNames {
  /** Top-level keys with a plain value, which Streamlit makes environment variables as well. */
  keys: string[];
  /** Top-level sections. */
  sections: string[];
}

/** What `[auth]` gets where it does not say it itself. */
export interface AuthDefaults {
  redirectUri: string;
  cookieSecret: string;
}

/**
 * Refuses a text that Streamlit could not read as secrets.toml.
 * @throws Refusal `secrets-invalid` that names line and column, and nothing of the content; `secrets-too-large`
 */
export function checkSecrets(text: string): void {
  if (Buffer.byteLength(text) > SECRETS_BYTES) {
    throw new Refusal('too-large', 'secrets-too-large', `The secrets are larger than ${SECRETS_BYTES / 1024} KiB.`, {
      field: 'toml',
    });
  }
  const long = longLine(text, MAX_SECRET_LINE);
  if (long !== undefined)
    throw invalid(`The secrets cannot be read: line ${long} has more than ${MAX_SECRET_LINE / 1024} KiB`);
  if (DEEP_KEY.test(text)) throw tooDeep();
  try {
    if (isDeeper(read(text), MAX_DEPTH)) throw tooDeep();
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    // The message's other lines quote the text.
    const why = (error.message.split('\n', 1)[0] ?? '').replace(/^Invalid TOML document: /, '');
    throw invalid(`The secrets are not valid TOML (line ${error.line}, column ${error.column}): ${why}`);
  }
}

/** Returns whether tables lie deeper in one another, looking no deeper than that. */
function isDeeper(value: unknown, most: number): boolean {
  if (typeof value !== 'object' || value === null || value instanceof Date) return false;
  return most === 0 || Object.values(value).some((one) => isDeeper(one, most - 1));
}

/** The names at the top of a secrets.toml. */
export function secretNames(text: string): SecretNames {
  const table = read(text);
  const names = Object.keys(table).sort();
  return {
    keys: names.filter((name) => !isTable(table[name])),
    sections: names.filter((name) => isTable(table[name])),
  };
}

/** The value of each top-level name of a secrets.toml, written in one way, so that two can be compared. */
export function secretTexts(text: string): Record<string, string> {
  const table = read(text);
  return Object.fromEntries(
    Object.keys(table).map((name) => [name, stringify({ value: table[name] }, { numbersAsFloat: true })]),
  );
}

/** Every value of a secrets.toml that is worth hiding in logs: text and numbers, at any depth. */
export function secretValues(text: string): string[] {
  const values: string[] = [];
  const collect = (value: unknown): void => {
    if (typeof value === 'string' || typeof value === 'number' || typeof value === 'bigint') values.push(String(value));
    else if (typeof value === 'object' && value !== null && !(value instanceof Date))
      Object.values(value).forEach(collect);
  };
  collect(read(text));
  return values;
}

/**
 * The secrets.toml that an app gets. It is serialised again from what was parsed, so that Python's reader, which knows TOML 1.0
 * only, gets what was checked here. `[auth]` gets what it lacks and the server knows
 * (https://docs.streamlit.io/develop/api-reference/user/st.login).
 */
export function secretsFile(text: string, auth: AuthDefaults): string {
  const table = read(text);
  const section = table.auth;
  if (isTable(section)) {
    section.redirect_uri ??= auth.redirectUri;
    section.cookie_secret ??= auth.cookieSecret;
  }
  return stringify(table, { numbersAsFloat: true });
}

/**
 * Whole numbers as bigint, so that 1 and 1.0 stay what they are; and the ends of lines as Python's reader takes them, so that
 * a key of several lines from a file made on Windows is what it is there.
 */
function read(text: string): TomlTable {
  return parse(text.replace(/\r\n/g, '\n'), { integersAsBigInt: true });
}

function isTable(value: unknown): value is TomlTable {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

function invalid(what: string): Refusal {
  return new Refusal('invalid', 'secrets-invalid', `${what}.`, { field: 'toml' });
}

function tooDeep(): Refusal {
  return invalid(`The secrets cannot be read: tables are nested more than ${MAX_DEPTH} levels deep`);
}
