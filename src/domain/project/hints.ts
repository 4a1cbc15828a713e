import { secretNames } from '../config/secrets.js';

/** A key that code asks for. */
export interface AskedKey {
  kind: 'secret' | 'env';
  name: string;
  /** As it stands in the code: `st.secrets["db"]`. */
  text: string;
  line: number;
  /** True where the code says what to do without it. */
  optional: boolean;
}

/** What the code of one file asks for. */
export interface FileKeys {
  asks: AskedKey[];
  /** What it sets by itself, or looks for before it asks: `env X`, `secret x`. */
  minds: string[];
}

/** What an app has, by name. */
export interface KnownKeys {
  vars: readonly string[];
  /** Its secrets.toml. */
  secretsToml: string;
}

/** Names that are in every app's environment. */
const GIVEN = /^(PATH|HOME|LANG|PWD|VIRTUAL_ENV|PYTHONUNBUFFERED|MALLOC_ARENA_MAX|STREAMLIT_.*)$/;

/** The methods of `st.secrets`, which are not keys. */
const METHODS = new Set([
  'get',
  'items',
  'keys',
  'values',
  'to_dict',
  'has_key',
  'load_if_toml_exists',
  'merge_programmatic_secrets',
  'file_change_listener',
]);

/**
 * The keys that Python code names: `st.secrets["x"]`, `st.secrets.x`, `st.secrets.get("x")`, `os.environ["X"]`,
 * `os.environ.get("X")`, `os.getenv("X")`, and the same by names imported from streamlit and os. Nothing is run, and the
 * text of comments and strings is not code. Keys that are put together when the code runs are not seen.
 */
export function keysInCode(code: string): FileKeys {
  const tokens = tokenise(code);
  const imported = importedNames(tokens);
  const asks: AskedKey[] = [];
  const minds: string[] = [];
  for (let at = 0; at < tokens.length; at += 1) {
    const found = subject(tokens, at, imported);
    if (found === undefined) continue;
    const { kind, text, next } = found;
    const lookedFor =
      tokens[at - 1]?.text === 'in' ? tokens[tokens[at - 2]?.text === 'not' ? at - 3 : at - 2] : undefined;
    if (lookedFor?.kind === 'string') minds.push(`${kind} ${lookedFor.text}`);
    const line = tokens[at]?.line ?? 1;
    const [first, second, third, fourth] = tokens.slice(next, next + 4);
    const ask = (name: string, how: string, optional = false): void =>
      void asks.push({ kind, name, text: `${text}${how}`, line, optional });
    if (found.call) {
      // os.getenv("X") or os.getenv("X", "default")
      if (isOp(first, '(') && second?.kind === 'string') ask(second.text, `("${second.text}")`, isOp(third, ','));
    } else if (isOp(first, '[') && second?.kind === 'string' && isOp(third, ']')) {
      if (kind === 'env' && isOp(fourth, '=')) minds.push(`env ${second.text}`);
      else ask(second.text, `["${second.text}"]`);
    } else if (isOp(first, '.') && second?.kind === 'name') {
      const argument = isOp(third, '(') && fourth?.kind === 'string' ? fourth.text : undefined;
      const withDefault = isOp(tokens[next + 4], ',');
      if (second.text === 'get' && argument !== undefined) ask(argument, `.get("${argument}")`, withDefault);
      else if (second.text === 'setdefault' && argument !== undefined) minds.push(`env ${argument}`);
      else if (kind === 'secret' && !METHODS.has(second.text) && !second.text.startsWith('_'))
        ask(second.text, `.${second.text}`);
    }
  }
  return { asks, minds };
}

/** A key that the code needs and the app does not have. */
export interface MissingKey extends Pick<AskedKey, 'kind' | 'name' | 'text'> {
  /** The first file that asks for it. */
  path: string;
}

/**
 * One sentence for each key that the code needs and the app does not have.
 * @param files what each file asks for, by its path
 */
export function hints(files: ReadonlyMap<string, FileKeys>, known: KnownKeys): string[] {
  return missingKeys(files, known).map(({ kind, path, text }) => {
    const what = kind === 'secret' ? "the app's secrets" : "the app's config vars";
    return `hint: ${path} reads ${text}, which is not set. Add it to ${what}.`;
  });
}

/** The keys that the code needs and the app does not have, each once. */
export function missingKeys(files: ReadonlyMap<string, FileKeys>, known: KnownKeys): MissingKey[] {
  const { keys, sections } = secretNames(known.secretsToml);
  const secrets = new Set([...keys, ...sections]);
  // Streamlit makes the plain keys of secrets.toml environment variables as well.
  const env = new Set([...known.vars, ...keys]);
  // What was told once, or need not be told at all.
  const told = new Set([...files.values()].flatMap((file) => file.minds));
  const missing: MissingKey[] = [];
  for (const [path, { asks }] of files) {
    for (const { kind, name, text, optional } of asks) {
      const has = kind === 'secret' ? secrets.has(name) : env.has(name) || GIVEN.test(name);
      if (optional || has || told.has(`${kind} ${name}`)) continue;
      told.add(`${kind} ${name}`);
      missing.push({ kind, name, text, path });
    }
  }
  return missing;
}

interface Token {
  kind: 'name' | 'string' | 'op';
  text: string;
  line: number;
}

interface Subject {
  kind: AskedKey['kind'];
  text: string;
  /** Where what follows it begins. */
  next: number;
  /** True where it is a function, not a mapping. */
  call: boolean;
}

/** `st.secrets`, `os.environ` or `os.getenv` at a place, where it stands there. */
function subject(tokens: readonly Token[], at: number, imported: ReadonlySet<string>): Subject | undefined {
  const token = tokens[at];
  if (token?.kind !== 'name' || isOp(tokens[at - 1], '.')) return undefined;
  const member = isOp(tokens[at + 1], '.') && tokens[at + 2]?.kind === 'name' ? tokens[at + 2]?.text : undefined;
  if ((token.text === 'st' || token.text === 'streamlit') && member === 'secrets') {
    return { kind: 'secret', text: `${token.text}.secrets`, next: at + 3, call: false };
  }
  if (token.text === 'os' && (member === 'environ' || member === 'getenv')) {
    return { kind: 'env', text: `os.${member}`, next: at + 3, call: member === 'getenv' };
  }
  if (!imported.has(token.text)) return undefined;
  return {
    kind: token.text === 'secrets' ? 'secret' : 'env',
    text: token.text,
    next: at + 1,
    call: token.text === 'getenv',
  };
}

const IMPORTS = [
  ['streamlit', 'secrets'],
  ['os', 'environ'],
  ['os', 'getenv'],
] as const;

/** Which of the names that matter stand in a `from … import …`. */
function importedNames(tokens: readonly Token[]): Set<string> {
  const names = new Set<string>();
  for (const [at, token] of tokens.entries()) {
    if (token.kind !== 'name' || token.text !== 'from' || tokens[at + 2]?.text !== 'import') continue;
    const module = tokens[at + 1]?.text;
    const inBrackets = isOp(tokens[at + 3], '(');
    for (const each of tokens.slice(at + 3, at + 60)) {
      if (inBrackets ? isOp(each, ')') : each.line !== token.line) break;
      if (IMPORTS.some(([from, name]) => from === module && name === each.text)) names.add(each.text);
    }
  }
  return names;
}

function isOp(token: Token | undefined, text: string): boolean {
  return token?.kind === 'op' && token.text === text;
}

/**
 * Comments and white space; what opens a string, with its prefix; a name; two-character operators that begin or end with
 * "="; anything else (https://docs.python.org/3/reference/lexical_analysis.html).
 */
const TOKEN =
  /(?<skip>#[^\n]*|\\\r?\n|\s+)|(?<prefix>[rbuftRBUFT]{0,2})(?<quote>"""|'''|"|')|(?<name>[\p{L}_][\p{L}\p{N}_]*)|(?<op>[=!<>:]=|[^])/uy;

function tokenise(code: string): Token[] {
  const tokens: Token[] = [];
  const pattern = new RegExp(TOKEN);
  let line = 1;
  for (let at = 0; at < code.length; at = pattern.lastIndex) {
    pattern.lastIndex = at;
    const { skip, prefix = '', quote, name, op } = pattern.exec(code)?.groups ?? {};
    if (quote !== undefined) {
      const start = pattern.lastIndex;
      const { end, closed } = endOfString(code, start, quote);
      const string = code.slice(start, end);
      // A formatted string or one with escapes has no value that is known here.
      const plain = closed && !/[fbt]/i.test(prefix) && !string.includes('\\') && !string.includes('\n');
      tokens.push(plain ? { kind: 'string', text: string, line } : { kind: 'op', text: '""', line });
      pattern.lastIndex = closed ? end + quote.length : end;
    } else if (name !== undefined) tokens.push({ kind: 'name', text: name, line });
    else if (op !== undefined && skip === undefined) tokens.push({ kind: 'op', text: op, line });
    for (const character of code.slice(at, pattern.lastIndex)) if (character === '\n') line += 1;
  }
  return tokens;
}

/** Where a string ends: at its closing quotes, or where Python gives up. No character is looked at twice. */
function endOfString(code: string, start: number, quote: string): { end: number; closed: boolean } {
  for (let at = start; at < code.length; at += 1) {
    if (code[at] === '\\') at += 1;
    else if (code.startsWith(quote, at)) return { end: at, closed: true };
    else if (quote.length === 1 && code[at] === '\n') return { end: at, closed: false };
  }
  return { end: code.length, closed: false };
}
