import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import ts from 'typescript';
import { ROOT } from './host.js';

/** Stands for a value in a wording. */
export const HOLE = '{}';
/** So far (calls, names) is a wording followed, and so many are kept of one place. */
const DEEP = 6;
const MANY = 60;

/** A place in the sources where a refusal is made. */
export interface Made {
  /** Its file below `src` and its line. */
  place: string;
  /** Its code, or the expression that finds it. */
  code: string;
  /** The sentences that it can have, with holes for values. */
  wordings: string[];
}

const SRC = join(ROOT, 'src');
const parsed = new Map<string, ts.SourceFile>();

function parse(path: string): ts.SourceFile {
  const file = parsed.get(path) ?? ts.createSourceFile(path, readFileSync(path, 'utf8'), ts.ScriptTarget.Latest, true);
  parsed.set(path, file);
  return file;
}

function files(): string[] {
  return readdirSync(SRC, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => join(entry.parentPath, entry.name));
}

/** Every text in the sources outside of the messages, with holes for values. */
export function textsWritten(): string[] {
  return files()
    .filter((path) => !path.startsWith(join(SRC, 'web', 'messages')))
    .flatMap((path) => nodesIn(parse(path)))
    .flatMap((node) => {
      if (ts.isStringLiteralLike(node)) return node.text;
      if (!ts.isTemplateExpression(node)) return [];
      return [node.head.text, ...node.templateSpans.map(({ literal }) => literal.text)].join(HOLE);
    });
}

/** Every place in the sources that makes a refusal, with what it can say: read from the syntax, so that none is forgotten. */
export function refusalsMade(): Made[] {
  return files().flatMap((path) => {
    const file = parse(path);
    return nodesIn(file).flatMap((node) => {
      if (!ts.isNewExpression(node) || !/^(Refusal|Changed|CommandFailed)$/.test(node.expression.getText())) return [];
      const [, code, message] = node.arguments ?? [];
      const line = file.getLineAndCharacterOfPosition(node.getStart()).line + 1;
      return {
        place: `${relative(SRC, path)}:${line}`,
        code: code !== undefined && ts.isStringLiteral(code) ? code.text : (code?.getText() ?? ''),
        wordings: message === undefined ? [HOLE] : wordingsOf(message, DEEP),
      };
    });
  });
}

function nodesIn(node: ts.Node, found: ts.Node[] = []): ts.Node[] {
  found.push(node);
  node.forEachChild((child) => void nodesIn(child, found));
  return found;
}

/** What an expression can be, as far as its file tells; a hole where it does not. */
function wordingsOf(node: ts.Expression, deep: number): string[] {
  const next = (one: ts.Expression): string[] => wordingsOf(one, deep - 1);
  if (deep === 0) return [HOLE];
  if (ts.isStringLiteralLike(node)) return [node.text];
  if (ts.isParenthesizedExpression(node)) return next(node.expression);
  if (ts.isTemplateExpression(node))
    return node.templateSpans.reduce(
      (heads, span) => both(both(heads, next(span.expression)), [span.literal.text]),
      [node.head.text],
    );
  if (ts.isConditionalExpression(node)) return [...next(node.whenTrue), ...next(node.whenFalse)];
  if (ts.isBinaryExpression(node)) {
    const kind = node.operatorToken.kind;
    if (kind === ts.SyntaxKind.PlusToken) return both(next(node.left), next(node.right));
    // What is empty where there is no value is none.
    if (kind === ts.SyntaxKind.QuestionQuestionToken)
      return [...next(node.left), ...next(node.right).filter((text) => text !== '')];
  }
  if (ts.isAsExpression(node)) return next(node.expression);
  if (ts.isElementAccessExpression(node) && ts.isIdentifier(node.expression)) {
    const table = declared(node.expression);
    const given = table !== undefined && ts.isVariableDeclaration(table) ? table.initializer : undefined;
    const object = given !== undefined && ts.isAsExpression(given) ? given.expression : given;
    if (object !== undefined && ts.isObjectLiteralExpression(object))
      return object.properties.flatMap((one) => (ts.isPropertyAssignment(one) ? next(one.initializer) : []));
  }
  if (ts.isCallExpression(node) && ts.isIdentifier(node.expression)) {
    const made = declared(node.expression);
    if (made === undefined || !ts.isFunctionDeclaration(made) || made.body === undefined) return [HOLE];
    return nodesIn(made.body).flatMap((one) =>
      ts.isReturnStatement(one) && one.expression !== undefined && enclosing(one) === made ? next(one.expression) : [],
    );
  }
  if (ts.isIdentifier(node)) {
    const from = declared(node);
    if (from !== undefined && ts.isVariableDeclaration(from) && from.initializer !== undefined)
      return ts.isNumericLiteral(from.initializer) ? [HOLE] : next(from.initializer);
    if (from !== undefined && ts.isParameter(from)) return argumentsFor(from).flatMap(next);
  }
  return [HOLE];
}

type Declared = ts.VariableDeclaration | ts.ParameterDeclaration | ts.FunctionDeclaration;

function both(left: string[], right: string[]): string[] {
  return left.flatMap((one) => right.map((other) => one + other)).slice(0, MANY);
}

/** What a parameter is given in its file. */
function argumentsFor(parameter: ts.ParameterDeclaration): ts.Expression[] {
  const made = parameter.parent;
  const name = 'name' in made ? made.name : undefined;
  const called = name ?? (ts.isVariableDeclaration(made.parent) ? made.parent.name : undefined);
  const place = made.parameters.indexOf(parameter);
  const given = nodesIn(parameter.getSourceFile()).flatMap((node) => {
    if (!ts.isCallExpression(node)) return [];
    const to = ts.isPropertyAccessExpression(node.expression) ? node.expression.name : node.expression;
    return to.getText() === called?.getText() ? (node.arguments[place] ?? []) : [];
  });
  return given.length > 0 ? given : [parameter.initializer ?? ts.factory.createNull()];
}

function enclosing(node: ts.Node): ts.Node | undefined {
  const found = node.parent;
  return found === undefined || ts.isFunctionLike(found) ? found : enclosing(found);
}

/** The nearest declaration of a name. */
function declared(
  name: ts.Identifier,
): ts.VariableDeclaration | ts.ParameterDeclaration | ts.FunctionDeclaration | undefined {
  for (let scope: ts.Node | undefined = name.parent; scope !== undefined; scope = scope.parent) {
    const statements =
      ts.isBlock(scope) || ts.isSourceFile(scope) || ts.isCaseClause(scope) ? [...scope.statements] : [];
    const own: ts.Node[] = [
      ...(ts.isFunctionLike(scope) ? scope.parameters : []),
      ...statements.flatMap((one): ts.Node[] =>
        ts.isVariableStatement(one) ? [...one.declarationList.declarations] : [one],
      ),
    ];
    for (const one of own)
      if (
        (ts.isVariableDeclaration(one) || ts.isParameter(one) || ts.isFunctionDeclaration(one)) &&
        one.name?.getText() === name.text
      )
        return one;
  }
  return imported(name);
}

/** What a name stands for in the file that it is imported from. */
function imported(name: ts.Identifier): Declared | undefined {
  const file = name.getSourceFile();
  for (const one of file.statements) {
    if (!ts.isImportDeclaration(one) || !ts.isStringLiteral(one.moduleSpecifier)) continue;
    const { namedBindings } = one.importClause ?? {};
    if (namedBindings === undefined || !ts.isNamedImports(namedBindings)) continue;
    if (!one.moduleSpecifier.text.startsWith('.')) continue;
    if (!namedBindings.elements.some((element) => element.name.text === name.text)) continue;
    const from = parse(join(dirname(file.fileName), one.moduleSpecifier.text.replace(/\.js$/, '.ts')));
    return nodesIn(from).find(
      (node): node is Declared =>
        (ts.isVariableDeclaration(node) || ts.isFunctionDeclaration(node)) && node.name?.getText() === name.text,
    );
  }
  return undefined;
}
