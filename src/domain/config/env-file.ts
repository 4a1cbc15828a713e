import { Refusal } from '../../errors.js';
import type { ConfigVars } from './vars.js';

/** `NAME=`, with what `.env` files of shells have before it. */
const NAME = /[ \t]*(?:export[ \t]+)?(?<name>[^\s=#]+)[ \t]*=[ \t]*/y;
/** A value in quotes, which may go on over lines, and nothing but a comment behind it; or the rest of the line. */
const VALUE =
  /(?:"(?<double>(?:[^"\\]|\\[^])*)"|'(?<single>[^']*)'|`(?<back>[^`]*)`)[ \t]*(?:#[^\n]*)?(?:\n|$)|(?!["'`])(?<plain>[^\n]*)(?:\n|$)/y;
const NOTHING = /[ \t]*(?:#[^\n]*)?(?:\n|$)/y;

const ESCAPES: Record<string, string> = { n: '\n', r: '\r', t: '\t', '"': '"', '\\': '\\' };

/**
 * The vars of an `.env` file: `NAME=value` a line, comments, `export`, values in quotes. In double quotes `\n`, `\t`, `\"`
 * and `\\` are what they stand for; nothing else is expanded. Of a name that comes twice, the last counts. (Node's own
 * parseEnv stops without a word at a line that it does not understand, and what follows would be lost.)
 * @throws Refusal `env-file-invalid`, which names the line and nothing of its content
 */
export function parseEnvFile(text: string): ConfigVars {
  const lines = text.replace(/^\ufeff/, '').replace(/\r\n?/g, '\n');
  const vars = new Map<string, string>();
  for (let at = 0; at < lines.length;) {
    const nothing = matchAt(NOTHING, lines, at);
    if (nothing !== undefined) {
      at += nothing[0].length;
      continue;
    }
    const name = matchAt(NAME, lines, at);
    const value = name === undefined ? undefined : matchAt(VALUE, lines, at + name[0].length);
    if (name === undefined || value === undefined) {
      const line = lines.slice(0, at).split('\n').length;
      const why = name === undefined ? 'does not have the form NAME=value' : 'has a quoted value that is not closed';
      throw new Refusal('invalid', 'env-file-invalid', `Line ${line} ${why}. Nothing was saved.`, { field: 'env' });
    }
    vars.set(name.groups?.name ?? '', valueOf(value.groups ?? {}));
    at += name[0].length + value[0].length;
  }
  if (vars.size === 0) {
    throw new Refusal('invalid', 'env-file-invalid', 'The file has no line of the form NAME=value.', {
      field: 'env',
    });
  }
  return Object.fromEntries(vars);
}

function valueOf({ double, single, back, plain = '' }: Record<string, string | undefined>): string {
  if (double !== undefined) return double.replace(/\\([nrt"\\])/g, (_, letter: string) => ESCAPES[letter] ?? letter);
  // A "#" begins a comment after a space only: passwords have it as well.
  return single ?? back ?? plain.replace(/(^|[ \t])#.*/, '').trim();
}

function matchAt(pattern: RegExp, text: string, at: number): RegExpExecArray | undefined {
  pattern.lastIndex = at;
  return pattern.exec(text) ?? undefined;
}
