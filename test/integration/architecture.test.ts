import { createRequire } from 'node:module';
import { cruise, type ICruiseResult, type IForbiddenRuleType } from 'dependency-cruiser';
import { Linter } from 'eslint';
import tseslint from 'typescript-eslint';
import { expect, it } from 'vitest';
import { scratch } from '../helpers/ends.js';
import { writeFiles } from '../helpers/files.js';
import { drawnTable } from '../helpers/map.js';

const rules = createRequire(import.meta.url)('../../.dependency-cruiser.cjs') as { forbidden: IForbiddenRuleType[] };

/** Imports that the linter reports below a folder: its rule, from where, and to where. */
async function reported(files: Record<string, string>): Promise<{ rule: string; from: string; to: string }[]> {
  const baseDir = await scratch('imports-');
  await writeFiles(baseDir, files);
  const { output } = await cruise(['src'], {
    baseDir,
    validate: true,
    ruleSet: { forbidden: rules.forbidden },
    tsPreCompilationDeps: true,
  });
  const { violations, totalDependenciesCruised } = (output as ICruiseResult).summary;
  expect(totalDependenciesCruised).toBeGreaterThan(1);
  return violations.map(({ rule, from, to }) => ({ rule: rule.name, from, to }));
}

it('every import that the map does not draw is reported, and no other', async () => {
  const drawn = await drawnTable();
  const rooms = [...drawn.keys(), 'lib'];
  const pairs = rooms.flatMap((from) => rooms.filter((to) => to !== from).map((to) => ({ from, to })));
  const found = await reported({
    ...Object.fromEntries(rooms.map((room) => [`src/${room}/index.ts`, 'export const one = 1;\n'])),
    ...Object.fromEntries(
      pairs.map(({ from, to }) => [`src/${from}/${to}.ts`, `export { one } from '../${to}/index.js';\n`]),
    ),
  });
  const isDrawn = (from: string, to: string): boolean => {
    if (from === 'server' || (to === 'lib' && from !== 'lib')) return true;
    // The map says in words what the command line may import of these.
    if (from === 'cli') return ['web', 'runtime', 'backup'].includes(to);
    return drawn.get(from)?.includes(to) === true;
  };
  const forbidden = new Set(
    found.flatMap(({ rule, from, to }) => (rule.endsWith('-imports') ? `${from} → ${to.split('/')[1]}` : [])),
  );
  expect([...forbidden].sort()).toEqual(
    pairs.flatMap(({ from, to }) => (isDrawn(from, to) ? [] : `src/${from}/${to}.ts → ${to}`)).sort(),
  );
  expect(forbidden.size).toBeGreaterThan(300);
});

it('two classes whose types name each other are reported as a circle', async () => {
  const other = (name: string, file: string): string =>
    `import type { ${name} } from './${file}.js';\nexport class ${name === 'One' ? 'Two' : 'One'} {\n  constructor(readonly other: Pick<${name}, 'other'>) {}\n}\n`;
  const found = await reported({
    'src/serving/one.ts': other('Two', 'two'),
    'src/serving/two.ts': other('One', 'one'),
  });
  expect(found.map(({ rule }) => rule)).toContain('no-circular');
});

it.each([
  ['directly', 'const one = new One(two);\nconst two = new Two(one);\n'],
  ['in a callback', 'const one = new One({ changed: () => two.changed() });\nconst two = new Two(one);\n'],
])('an object that is given a later one %s is reported where objects are composed', async (_how, code) => {
  const declared =
    'declare class One { constructor(other: unknown) }\ndeclare class Two extends One { changed(): void }\n';
  const rule = '@typescript-eslint/no-use-before-define';
  const { default: config } = (await import(new URL('../../eslint.config.js', import.meta.url).href)) as {
    default: Linter.Config[];
  };
  const matching = config.filter(({ rules: some, files }) => some?.[rule] !== undefined && files !== undefined);
  expect(matching.map(({ files }) => files)).toEqual([['src/server/**/*.ts']]);
  const messages = new Linter().verify(
    declared + code,
    [
      {
        files: ['**/*.ts'],
        languageOptions: { parser: tseslint.parser },
        plugins: { '@typescript-eslint': tseslint.plugin },
        rules: { [rule]: matching[0]?.rules?.[rule] },
      },
    ],
    'compose.ts',
  );
  expect(messages.map(({ message }) => message)).toEqual(["'two' was used before it was defined."]);
});
