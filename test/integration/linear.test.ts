import { describe, expect, it } from 'vitest';
import { parseEnvFile } from '../../src/domain/config/env-file.js';
import { checkSecrets, secretsFile, secretTexts, secretValues } from '../../src/domain/config/secrets.js';
import { parseAppFile } from '../../src/domain/project/app-file.js';
import { hints, keysInCode } from '../../src/domain/project/hints.js';
import { plainPath } from '../../src/domain/project/layout.js';
import { Links } from '../../src/domain/project/links.js';
import { parsePackages } from '../../src/domain/project/packages-txt.js';
import { parseTree } from '../../src/domain/project/tree.js';
import { chooseDependencies } from '../../src/domain/python/dependencies.js';
import { isOutside } from '../../src/domain/python/outside.js';
import { forInstaller, noWishes } from '../../src/domain/python/for-installer.js';
import { readPythonVersionFile } from '../../src/domain/python/python-version.js';
import { isSource, parseRequirements } from '../../src/domain/python/requirements.js';
import { fromPoetry, satisfies } from '../../src/domain/python/specifier.js';
import { parseMetadata } from '../../src/domain/python/lock.js';
import { scriptBlock } from '../../src/domain/python/script-block.js';
import { hear } from '../../src/domain/streamlit/page-run.js';
import { mayExit } from '../../src/domain/streamlit/script-exit.js';
import { shortenTracebacks } from '../../src/domain/streamlit/traceback.js';
import { reasonFrom } from '../../src/environments/reasons.js';
import { LineSplitter } from '../../src/logs/lines.js';
import { maskUrls } from '../../src/lib/mask-urls.js';
import { Refusal } from '../../src/errors.js';
import { formToken } from '../../src/web/form-token.js';

/** An input of about so many characters. */
type Shape = (size: number) => string;

/** A unit again and again, between what stands before and behind it. */
const many =
  (unit: string, before = '', behind = ''): Shape =>
  (size) =>
    before + unit.repeat(Math.ceil(size / unit.length)) + behind;

/** One line for each number. */
const lines =
  (line: (number: number) => string, before = '', behind = ''): Shape =>
  (size) => {
    const all = [before];
    for (let length = 0, number = 0; length < size; number += 1) length += (all[all.length] = line(number)).length + 1;
    return `${all.join('\n')}${behind}`;
  };

/** What chooseDependencies is given: one file, and others beside it. */
const dependencies =
  (file: string, beside: Record<string, string> = {}) =>
  (text: string): unknown => {
    const files: Record<string, string> = { ...beside, [file]: text };
    return chooseDependencies(
      { has: (name) => name in files, text: (name) => files[name] ?? '' },
      { file, where: 'streamlit-host.toml' },
    );
  };
const toml = (key: string, unit: string, behind = ''): Shape => many(unit, `${key}="`, `${behind}"]`);
const project = (unit: string, behind = ''): Shape =>
  many(unit, '[project]\nname="a"\ndependencies=["a', `${behind}"]`);
const poetry = (unit: string, behind = ''): Shape => many(unit, '[tool.poetry.dependencies]\na="', `${behind}"`);
const locked = (number: number, more = ''): string => `[[package]]\nname="a${number}"\nversion="1"\n${more}`;
const chain = (number: number): string => locked(number, `[package.dependencies]\na${number + 1}="1"`);

/** What reads pushed or uploaded bytes or what an app prints, and the shapes of text that it must not be slow at. */
const READERS: Record<string, { read: (text: string) => unknown; shapes: Record<string, Shape> }> = {
  'streamlit-host.toml': {
    read: parseAppFile,
    shapes: {
      'spaces before an unknown setting': many(' ', '', '\nbogus = 1'),
      'spaces in brackets': many(' ', 'x="""\n[', '\n"""\nbogus = 1'),
      'spaces in a key': many('a ', 'x="""\n', '\n"""\nbogus = 1'),
      brackets: many('[', 'x="""\n', '\n"""\nbogus = 1'),
      'escaped quotes': many('\\"', 'description="', '"'),
      'a dotted key': many('a.', '', 'b=1'),
      'many keys': lines((number) => `k${number}=1`),
      'many tables': lines((number) => `[a.b${number}]`),
      'nested lists': many('[', 'tags='),
    },
  },
  'paths of an app': {
    read: (text) => [plainPath(text), formToken('', text)],
    shapes: {
      'slashes in the middle': many('/', '', 'a'),
      'dots and slashes': many('./', '', 'a'),
      'spaces in the middle': many(' ', 'a', 'a'),
    },
  },
  '.python-version': {
    read: (text) => readPythonVersionFile('.python-version', text),
    shapes: {
      digits: many('1', '>=', '!'),
      dots: many('1.', '>=', '!'),
      conditions: many('>=3,'),
      'spaces in the middle': many(' ', 'x', 'x'),
      'hash signs': many('#', '', '\u2028\n3.12'),
    },
  },
  'what an installer gets of requirements.txt': {
    read: (text) => {
      const place = { path: 'requirements.txt', nameOf: (target: string) => target, hasFolder: () => false };
      return [parseRequirements(text).filter(isSource), isOutside(text), forInstaller(text, place, noWishes())];
    },
    shapes: {
      'addresses in one word': many('https://x/', 'a=='),
      'addresses of wheels in one word': many('https://x.whl/', 'a=='),
      'folders above': many('a/../'),
      'addresses in many words': many('https://x/ ', 'a @ '),
      variables: lines((number) => `https://\${V${number}}/a.whl`),
      'trusted hosts': lines((number) => `--trusted-host h${number}`),
      'folders of packages': lines((number) => `--find-links f${number}`),
    },
  },
  'requirements.txt': {
    read: dependencies('requirements.txt'),
    shapes: {
      digits: many('1', 'streamlit==', '!'),
      dots: many('1.', 'streamlit==', '!'),
      continuations: many('\\\n'),
      'continued names': many('a\\\n'),
      'hash signs': many(' #', 'a', '\u2028'),
      spaces: many(' ', 'a', '?'),
      brackets: many('[', 'streamlit'),
      separators: many('-_.', 'a', '?'),
      wheels: many('/a-1', 'https://'),
      packages: lines((number) => `a${number}==1`),
    },
  },
  'pyproject.toml': {
    read: dependencies('pyproject.toml'),
    shapes: {
      spaces: project(' ', 'b'),
      semicolons: project(' ;', 'b'),
      names: project('a', '?'),
      'the version of a package': poetry('1', '!x'),
      'spaces in a version': poetry(' ', 'x'),
      'conditions in a version': poetry('1,'),
      Python: toml('[project]\ndependencies=["a"]\nrequires-python', '1', '!'),
      packages: lines((number) => `a${number}="1"`, '[tool.poetry.dependencies]'),
      'the same package': many('"a",', '[project]\ndependencies=[', ']'),
    },
  },
  'poetry.lock': {
    read: dependencies('poetry.lock', { 'pyproject.toml': '[tool.poetry.dependencies]\na0="1"' }),
    shapes: {
      packages: lines((number) => locked(number, 'groups=["main"]')),
      'a chain': lines(chain),
      'versions of one': lines(() => locked(0, '[package.dependencies]\na0="1"')),
      markers: lines(
        (number) => locked(number, `[package.dependencies]\na${number + 1}="1"\nz={version="1",markers="m${number}"}`),
        '[[package]]\nname="z"\nversion="1"\n[package.dependencies]\ny="1"\n[[package]]\nname="y"\nversion="1"',
      ),
      Python: many('1', '[[package]]\nname="a0"\ngroups=["main"]\n[metadata]\npython-versions="', '!x"'),
    },
  },
  'uv.lock': {
    read: dependencies('uv.lock', { 'pyproject.toml': '[project]\ndependencies=["streamlit"]' }),
    shapes: {
      packages: lines((number) => locked(number), locked(1).replace('a1', 'streamlit')),
      digits: many('1', '[[package]]\nname="streamlit"\nversion="', '!"'),
    },
  },
  'metadata of packages': {
    read: parseMetadata,
    shapes: {
      spaces: many(' ', 'Name: a', 'b\nVersion: 1'),
      'empty lines': many(' \n', 'Name: a\n', 'Version: 1'),
      names: many('Name:\n'),
    },
  },
  'script block': {
    read: scriptBlock,
    shapes: {
      'lines of a block': many('# \n', '# /// script\n', 'x'),
      'ends of a block': many('# ///\n', '# /// script\n', ''),
      beginnings: many('# /// script\n', '', ''),
    },
  },
  Pipfile: {
    read: dependencies('Pipfile'),
    shapes: {
      digits: many('1', '[packages]\nstreamlit="==', '!"'),
      packages: lines((number) => `a${number}="*"`, '[packages]'),
    },
  },
  'environment.yml': {
    read: dependencies('environment.yml'),
    shapes: {
      'a table in a line': many('a,', '{', '}'),
      'keys in a line': (size) => `{${lines((number) => `a${number}`)(size).replaceAll('\n', ', ')}}`,
      keys: lines((number) => `a${number}: 1`),
      anchors: lines((number) => `- &a${number} 1`),
      'nested keys': many('? '),
      'nested lists': many('['),
      'ends of tables': many('}'),
      commas: many(',', '[', ']'),
      tags: many('!a '),
      directives: many('%\n'),
      'a name and more': many('a', 'dependencies: ["', '\\nb"]'),
      packages: many('- a\n', 'dependencies:\n'),
    },
  },
  'packages.txt': {
    read: parsePackages,
    shapes: { names: lines((number) => `ab${number}`), 'hash signs': many('#', '', '\u2028'), 'one name': many('a') },
  },
  'secrets.toml': {
    read: (text) => {
      checkSecrets(text);
      return [secretTexts(text), secretValues(text), secretsFile(text, { redirectUri: '', cookieSecret: '' })];
    },
    shapes: {
      keys: lines((number) => `k${number}=1`),
      sections: lines((number) => `[k${number}]\na=1`),
      'a dotted key': many('a.', '', 'b=1'),
      escapes: many('\\n', 'a="', '"'),
      spaces: many(' ', '', 'x'),
    },
  },
  '.env': {
    read: parseEnvFile,
    shapes: {
      'a value without an end': many('\\a', 'A="'),
      'spaces before a comment': many(' ', 'A=x', 'b'),
      names: lines((number) => `A${number}=1`),
      exports: many('export ', '', 'A'),
      'one bad line': lines(() => 'A=1', '', '\nx'),
      'empty values': many('A= '),
      'a comment at once': many('A=#'),
      backslashes: many('\\'),
      'open quotes on every line': many("A='\n"),
    },
  },
  'the code of an app': {
    read: (text) => [hints(new Map([['app.py', keysInCode(text)]]), { vars: [], secretsToml: '' }), mayExit(text)],
    shapes: {
      'escaped quotes': many('\\"'),
      quotes: many('"', '"'),
      'open strings': many('"a\\\n'),
      'open long strings': many(`''' """ `),
      'lines that end as on old Macs': many('a\r'),
      'lines that end as in JavaScript': many('a\u2028'),
      imports: many('from os import '),
      exits: many('sys . exit '),
      spaces: many(' ', 'sys'),
      backslashes: many('\\'),
      'open secrets': many('st.secrets['),
      'secrets in words': many("secrets 'x' in "),
      keys: lines((number) => `os.environ["A${number}"]`),
    },
  },
  'the links of a project': {
    read: (text) => {
      const target = (number: number): string => `${text}l${number + 1}`;
      return new Links(new Map(Array.from({ length: 30 }, (_, number) => [`l${number}`, target(number)]))).outside();
    },
    shapes: { 'deep targets': many('a/'), 'ways back': many('a/../') },
  },
  'what git prints of a tree': {
    read: parseTree,
    shapes: { entries: many(`100644 blob ${'a'.repeat(40)}       1\ta\0`) },
  },
  'what an app prints': {
    read: (text) => [
      new LineSplitter().push(Buffer.from(`${text}\n`)),
      shortenTracebacks(text.split('\n'), { source: ['/s'], environment: ['/e'], home: ['/h'] }),
      maskUrls(text),
      reasonFrom(text.split('\n')),
    ],
    shapes: {
      returns: many('\r', '', 'x'),
      'terminal control': many(';#', '\u001b'),
      'more terminal control': many('\u001b]a'),
      frames: many('  File "/e/a.py", line 1\n    x\n'),
      'quotes in frames': many('", line ', 'File "'),
      folders: many('/e/lib/python'),
      addresses: many('a.a+a://'),
      reasons: many('Because only a is available and you require b '),
    },
  },
  'what Streamlit says of a page': {
    read: (text) => hear(Buffer.from(text, 'latin1')),
    shapes: { numbers: many('\x08\x01'), 'one number': many('\xff') },
  },
  'versions and conditions': {
    read: (text) => [fromPoetry(text), satisfies(text, '>=1')],
    shapes: { digits: many('1', '', '!x'), 'equal signs': many('='), spaces: many(' ', '^', 'x'), zeros: many('0.') },
  },
};

/** How much processor time it takes to read something, in ms: what other programs take of the machine is not in it. */
function timeOf(read: (text: string) => unknown, text: string): number {
  const begun = process.cpuUsage();
  try {
    read(text);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
  }
  const { user, system } = process.cpuUsage(begun);
  return (user + system) / 1_000;
}

/** What is shorter (ms) is the clock's and the garbage collector's; what is longer need not be tried with more. */
const NOISE_MS = 4;
const ENOUGH_MS = 20;

/** How much more is read the second time. */
const TIMES = 16;
/** How much longer that may take: linear is 16, and quadratic is 256, so a busy machine has room to be wrong by a factor of four. */
const MOST = 64;

/** How long one size is tried, in ms: a pause of the garbage collector only ever adds to the time, so the least counts. */
const PATIENCE_MS = 3_000;

/** Returns how much longer sixteen times as much takes, at the largest size that is worth the time; 1 where all is noise. */
function growthOf(read: (text: string) => unknown, shape: Shape): number {
  let growth = 1;
  for (let size = 8_000; size <= 64_000; size *= 2) {
    const [small, large] = [shape(size / TIMES), shape(size)];
    let [least, most] = [Infinity, Infinity];
    for (const begun = performance.now(); performance.now() - begun < PATIENCE_MS;) {
      least = Math.min(least, timeOf(read, small), timeOf(read, small));
      most = Math.min(most, timeOf(read, large));
      growth = most < NOISE_MS ? 1 : most / Math.max(least, NOISE_MS / TIMES);
      if (growth <= MOST) break;
    }
    if (growth > MOST || most > ENOUGH_MS) break;
  }
  return growth;
}

describe.each(Object.entries(READERS))('%s', (_name, { read, shapes }) => {
  it.each(Object.entries(shapes))(
    'is parsed in time proportional to its size: %s',
    { timeout: 60_000 },
    (_shape, shape) => {
      timeOf(read, shape(2_000));
      expect(growthOf(read, shape)).toBeLessThanOrEqual(MOST);
    },
  );
});
