import { isMap, isScalar, isSeq, LineCounter, parseDocument, type ParsedNode } from 'yaml';
import { Refusal } from '../../errors.js';
import { printable } from '../app/app.js';

/** How deep lists and tables may lie in one another. */
const MAX_DEPTH = 20;
const TOO_DEEP = `it is nested more than ${MAX_DEPTH} levels deep`;

/**
 * What a YAML file holds: tables by their plain keys, lists, and plain values. The library's own checks of keys, its
 * marked-up errors and its conversion take far longer than the file is long, so they are done here.
 * @throws Refusal `requirements-unreadable`
 */
export function readYaml(file: string, text: string): unknown {
  const lineCounter = new LineCounter();
  const refuse = (what: string, offset?: number): never => {
    const { line, col } = lineCounter.linePos(offset ?? 0);
    const where = offset === undefined ? '' : ` at line ${line}, column ${col}`;
    throw new Refusal('invalid', 'requirements-unreadable', `Cannot read ${file}: ${what}${where}.`, {
      field: file,
    });
  };
  const plain = (node: ParsedNode | null, depth: number): unknown => {
    if (node === null || isScalar(node)) return node?.value ?? null;
    if (depth > MAX_DEPTH) return refuse(TOO_DEEP, node.range[0]);
    if (isSeq(node)) return node.items.map((item) => plain(item, depth + 1));
    // A few lines of aliases can stand for gigabytes.
    if (!isMap(node)) return refuse('aliases are not supported', node.range[0]);
    const table = new Map<string, unknown>();
    for (const { key, value } of node.items) {
      if (!isScalar(key)) return refuse('a key must be plain text', key?.range[0] ?? node.range[0]);
      const name = String(key.value);
      if (table.has(name)) return refuse('Map keys must be unique', key.range[0]);
      table.set(name, plain(value, depth + 1));
    }
    return Object.fromEntries(table);
  };
  try {
    const document = parseDocument(text, { prettyErrors: false, uniqueKeys: false, logLevel: 'error', lineCounter });
    const [error] = document.errors;
    if (error === undefined) return plain(document.contents, 0);
    // The library calls itself for each level.
    const what = error.message.includes('call stack') ? TOO_DEEP : printable(error.message);
    return refuse(what, error.pos[0]);
  } catch (error) {
    if (error instanceof RangeError) return refuse(TOO_DEEP);
    throw error;
  }
}
