import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');

/** Phrases that read as if translated, each with better ones. */
const PHRASES: readonly (readonly [phrase: RegExp, better: string])[] = [
  [/\bwhoever\b/i, 'name the person or the thing'],
  [/\bwhat stands\b/i, 'the content, the text, the value'],
  [/\bparted\b/i, 'separated, split'],
  [/\bbesides\b/i, 'also, in addition'],
  [/\blest\b/i, 'so that … not'],
  [/\bshall\b/i, 'must, is to, or the plain verb'],
  [/\banew\b/i, 'again'],
  [/\bmended\b/i, 'fixed, repaired'],
  [/\bhad back\b/i, 'recovered, undone'],
  [/\bthe ones? of that name\b/i, 'the var of the same name'],
  [/\bas it was\b/i, 'unchanged'],
  [/\bhears\b/i, 'is called with, reads, receives'],
  [/\btell?s of\b/i, 'describes, names, reports'],
  // "There is no app" is fine; "x is no app" is not.
  [/(?<!\b(?:there|here|it) )\b(?:is|are) no (?!longer\b|more\b)\w/i, 'is not a'],
];

/** Phrases that a test title can do without as well. */
const TITLE_PHRASES: readonly (readonly [phrase: RegExp, better: string])[] = [
  ...PHRASES,
  [/\bgo(?:es)? on\b/i, 'continue, keep running'],
  [/\bfor ever\b/i, 'forever'],
  [/\b(?:any|every|some)body\b/i, 'name the person: the operator, a visitor, everyone'],
  [/\bnot there\b/i, 'missing'],
  [/\bunder way\b/i, 'in progress'],
  [/\bcalled off\b/i, 'cancelled, aborted'],
  [/\bbeside\b/i, 'next to'],
  [/\bbe it\b/i, 'even if'],
  [/\btaken over\b/i, 'adopted'],
  [/\bswitched o(?:n|ff)\b/i, 'turned on, turned off'],
  [/^what /i, 'name the thing'],
  [/^who(?:ever)? /i, 'name the person'],
];

/**
 * Codes of a family of mistakes: the same thing is to be done about all of them, and each has its own sentence. Every
 * other code has one wording.
 */
const FAMILIES = new Set([
  'app-id-reserved',
  'app-not-found',
  'app-not-started',
  'cannot-listen',
  'data-not-writable',
  'disk-full',
  'env-file-invalid',
  'field-invalid',
  'file-too-large',
  'files-missing',
  'folder-not-found',
  'git-failed',
  'import-missing',
  'main-missing',
  'no-server',
  'not-in-place',
  'not-reachable',
  'not-signed-in',
  'release-not-found',
  'requirements-outside',
  'requirements-unreadable',
  'usage',
  'var-not-found',
  'var-value-invalid',
  'vars-too-large',
  'vault-key-unreadable',
]);

/** Sentences whose end or whose beginning is a value that is a sentence itself. */
const BY_VALUE = new Set([
  // cli/deploy-log.ts: what is still live follows.
  'Release ${} of ${} ${}.${}',
  // redis/launch.ts: the reason brings its full stop.
  'Redis could not be started: ${}',
  // web/upload/path.ts: what is wrong with the path, in a sentence.
  '"${}" is not a valid file path. ${}',
  // domain/project/tree.ts: the path of a file, and what is wrong with it.
  '${} ${}',
]);

interface Text {
  file: string;
  line: number;
  text: string;
}

interface Refused {
  file: string;
  line: number;
  code: string;
  /** The sentence, with `${}` for each of its values. */
  sentence: string;
}

function filesIn(folder: string, pattern: RegExp): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && pattern.test(entry.name) && !entry.parentPath.includes('node_modules'))
    .map((entry) => relative(ROOT, join(entry.parentPath, entry.name)));
}

const SOURCES = [...filesIn('src', /\.ts$/), ...filesIn('scripts', /\.js$/), ...filesIn('hooks', /\.js$/)];

/** Files that are read as plain text. Decisions are records of their day, and stay as they were written. */
const PLAIN = [
  'README.md',
  'CHANGELOG.md',
  'CONTRIBUTING.md',
  'SECURITY.md',
  'env.example',
  ...filesIn('docs', /\.(?:md|json)$/).filter((file) => !file.startsWith('docs/decisions/')),
  ...filesIn('templates', /\.hbs$/),
  ...filesIn('python', /\.py$/),
];

/** The titles of the tests. */
const titles: Text[] = filesIn('test', /\.ts$/).flatMap((file) => {
  const text = readFileSync(join(ROOT, file), 'utf8');
  const found = text.matchAll(
    /\b(?:describe|it|test)(?:\.\w+)*\(\s*(?:\[[^\]]*\]\)\(\s*)?(['"`])((?:\\.|(?!\1).)+)\1/gs,
  );
  return Array.from(found, (match) => ({
    file,
    line: text.slice(0, match.index).split('\n').length,
    text: match[2] ?? '',
  }));
});

/** The paragraphs of a file, each in one line: of code too, whose names are not sentences and break no rule. */
function paragraphsOf(file: string): Text[] {
  let line = 1;
  return readFileSync(join(ROOT, file), 'utf8')
    .split(/\n(?=\s*\n)/)
    .map((paragraph) => {
      // Without what begins the lines of a comment.
      const found = { file, line, text: paragraph.replace(/\n\s*(?:\*|\/\/) /g, ' ').replace(/\s+/g, ' ') };
      line += paragraph.split('\n').length;
      return found;
    });
}

function walk(node: ts.Node, visit: (node: ts.Node) => void): void {
  visit(node);
  node.forEachChild((child) => walk(child, visit));
}

/** The text of a string or a template, with `${}` for its values; undefined where it is neither. */
function textOf(node: ts.Node): string | undefined {
  if (ts.isStringLiteralLike(node)) return node.text;
  if (ts.isTemplateExpression(node))
    return node.head.text + node.templateSpans.map((span) => `\${}${span.literal.text}`).join('');
  return undefined;
}

const constants = new Map<ts.SourceFile, ts.VariableDeclaration[]>();

/** What a source declares by const or let, in its order. */
function constantsOf(source: ts.SourceFile): ts.VariableDeclaration[] {
  const known = constants.get(source);
  if (known !== undefined) return known;
  const found: ts.VariableDeclaration[] = [];
  walk(source, (each) => {
    if (ts.isVariableDeclaration(each)) found.push(each);
  });
  constants.set(source, found);
  return found;
}

/** Every sentence that an expression can be: through conditions, `+` and the constants of its file. */
function sentencesOf(node: ts.Expression, source: ts.SourceFile): string[] {
  const text = textOf(node);
  if (text !== undefined) return [text];
  if (ts.isParenthesizedExpression(node)) return sentencesOf(node.expression, source);
  if (ts.isConditionalExpression(node))
    return [...sentencesOf(node.whenTrue, source), ...sentencesOf(node.whenFalse, source)];
  if (ts.isBinaryExpression(node) && node.operatorToken.kind === ts.SyntaxKind.PlusToken) {
    const right = sentencesOf(node.right, source);
    return sentencesOf(node.left, source).flatMap((left) => right.map((rest) => left + rest));
  }
  if (!ts.isIdentifier(node)) return [];
  // The nearest constant of that name before it: a parameter has none.
  let nearest: ts.Expression | undefined;
  for (const each of constantsOf(source)) {
    if (each.name.getText(source) !== node.text || each.pos > node.pos) continue;
    const scope = each.parent.parent.parent;
    if (node.pos >= scope.pos && node.end <= scope.end) nearest = each.initializer;
  }
  return nearest === undefined ? [] : sentencesOf(nearest, source);
}

interface Made {
  code: string;
  message: ts.Expression | undefined;
}

/** The code and the message of what makes a refusal, from its arguments. */
const MAKERS = new Map<string, (args: readonly ts.Expression[]) => Made>([
  ['Refusal', ([, code, message]) => ({ code: (code && textOf(code)) ?? '', message })],
  ['usage', ([message]) => ({ code: 'usage', message })],
  ['unreachable', ([message]) => ({ code: 'not-reachable', message })],
]);

const refusals: Refused[] = SOURCES.flatMap((file) => {
  const text = readFileSync(join(ROOT, file), 'utf8');
  // Read as code only where there can be one: that takes its time.
  if (![...MAKERS.keys()].some((maker) => text.includes(`${maker}(`))) return [];
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  const found: Refused[] = [];
  walk(source, (node) => {
    if (!ts.isNewExpression(node) && !ts.isCallExpression(node)) return;
    if (!ts.isIdentifier(node.expression)) return;
    const made = MAKERS.get(node.expression.text)?.(node.arguments ?? []);
    if (made?.message === undefined) return;
    const line = source.getLineAndCharacterOfPosition(node.getStart(source)).line + 1;
    for (const sentence of sentencesOf(made.message, source))
      found.push({ file: source.fileName, line, code: made.code, sentence });
  });
  return found;
});

describe('text for people', () => {
  it('has no phrases that read as if translated', () => {
    const found = [...SOURCES, ...PLAIN].flatMap(paragraphsOf).flatMap(({ file, line, text }) =>
      PHRASES.flatMap(([phrase, better]) => {
        const match = phrase.exec(text);
        if (match === null) return [];
        return [
          `${file}:${line}: "${text.slice(Math.max(0, match.index - 40), match.index + 40)}" (better: ${better})`,
        ];
      }),
    );
    expect(found).toEqual([]);
  });
});

describe('a test title', () => {
  it('is found in the tests', () => {
    expect(titles.length).toBeGreaterThan(1_500);
  });

  it('has no phrases that read as if translated', () => {
    const found = titles.flatMap(({ file, line, text }) =>
      TITLE_PHRASES.filter(([phrase]) => phrase.test(text)).map(
        ([, better]) => `${file}:${line}: "${text}" (better: ${better})`,
      ),
    );
    expect(found).toEqual([]);
  });
});

describe('a refusal', () => {
  it('is found in the sources', () => {
    expect(refusals.length).toBeGreaterThan(150);
  });

  it('is a full sentence, with a capital and a full stop', () => {
    const wrong = refusals.filter(
      ({ sentence }) => !BY_VALUE.has(sentence) && (!/^(?:[A-Z"]|\$\{\}|--)/.test(sentence) || !/[.?]$/.test(sentence)),
    );
    expect(wrong.map(({ file, line, sentence }) => `${file}:${line}: ${sentence}`)).toEqual([]);
  });

  it('has one wording for each code, unless the code stands for a family of mistakes', () => {
    const wordings = new Map<string, Set<string>>();
    for (const { code, sentence } of refusals)
      if (code !== '' && !FAMILIES.has(code)) wordings.set(code, (wordings.get(code) ?? new Set()).add(sentence));
    expect([...wordings].filter(([, sentences]) => sentences.size > 1)).toEqual([]);
  });
});
