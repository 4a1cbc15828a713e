// npm run build [-- FOLDER MODULE …]: makes dist, the program, of src.
//   FOLDER MODULE …  puts single modules of src (store/git) into another folder, for benchmarks and tests
// One file for each entry and library, since a start takes most of its time to find and read a thousand small ones. Nothing of
// node_modules is needed then: the libraries of the browser are copied, with the licences of all.
// Types are not checked here (`npm run typecheck`), so that a new checkout starts within seconds.
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { rolldown } from 'rolldown';
import { licencesOf, packageOf } from './lib/licences.js';

/** What libraries use where it is installed, and do without: native code, and a package of development tools. */
const OPTIONAL = ['msgpackr-extract', 'supports-color'];

/** What something outside of src loads: the scripts, or the program itself in a thread. */
const ENTRIES = ['main', 'cli/main', 'errors'];

/** What the program runs in threads: each one file, which it reads once, as after an update another version may be in its place. */
const THREADS = ['deploys/reader-worker', 'metrics/sizes-worker'];

const [folder = 'dist', ...modules] = process.argv.slice(2);
const names = modules.length > 0 ? modules : [...ENTRIES, ...THREADS];

/** Its ES modules, of which a bundler takes what is used: its CommonJS brings drivers of three more databases along. */
const BULLMQ = join(process.cwd(), 'node_modules/bullmq/dist/esm/index.js');

const output = [];
const loaded = names.filter((name) => !THREADS.includes(name));
if (loaded.length > 0)
  output.push(
    ...(await build(loaded, {
      format: 'esm',
      // Without a hash: a server goes on finding what it loads later when the program has been built again under it.
      chunkFileNames: 'parts/[name].js',
      // One file for each library: V8 and the allocator keep a multiple of what the largest file took to be read.
      codeSplitting: {
        includeDependenciesRecursively: false,
        groups: [{ name: libraryOf, debugName: 'libraries', test: /node_modules/ }],
      },
      // Which a module has not, and the libraries that were made for CommonJS ask for.
      banner: 'const __filename = import.meta.filename, __dirname = import.meta.dirname;',
    })),
  );
// A thread runs a text as CommonJS.
for (const name of names.filter((one) => THREADS.includes(one)))
  output.push(...(await build([name], { format: 'cjs', entryFileNames: '[name].cjs', codeSplitting: false })));
if (modules.length === 0) finish(output.flatMap((part) => Object.keys(part.modules ?? {})));

/** @param {string[]} entries @param {import('rolldown').OutputOptions} options @returns what was written */
async function build(entries, options) {
  const bundle = await rolldown({
    input: Object.fromEntries(entries.map((name) => [name, join('src', `${name}.ts`)])),
    platform: 'node',
    external: OPTIONAL,
    preserveEntrySignatures: 'allow-extension',
    // One of four copies in two versions: types only ever are added.
    resolve: { alias: { bullmq: BULLMQ, 'mime-db': join(process.cwd(), 'node_modules/mime-db') } },
    treeshake: { moduleSideEffects: [{ test: /node_modules\/bullmq\//, sideEffects: false }] },
    plugins: [jsoncParser()],
    // Libraries of CommonJS have their own reasons.
    checks: { eval: false },
  });
  try {
    return (
      await bundle.write({
        dir: folder,
        // Readable in stack traces, and small: V8 keeps the source, in twice the memory if one character needs it.
        comments: false,
        minify: { compress: false, mangle: false, codegen: { removeWhitespace: false, asciiOnly: true } },
        ...options,
      })
    ).output;
  } finally {
    await bundle.close();
  }
}

/** Puts beside the program what it needs of libraries and is not in it. @param {string[]} bundled the files that are */
function finish(bundled) {
  const served = Object.values(JSON.parse(readFileSync('src/web/libraries.json', 'utf8')));
  for (const file of served) cpSync(join('node_modules', file), join(folder, 'libraries', file));
  const all = [...bundled, ...served.map((file) => join(process.cwd(), 'node_modules', file))];
  const texts = licencesOf(
    all.flatMap((file) => packageOf(file) ?? []),
    readFileSync('LICENSE', 'utf8'),
  );
  writeFileSync(join(folder, 'THIRD-PARTY.txt'), texts);
}

/** The library that a file belongs to, as part of a file name. */
function libraryOf(path) {
  return /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1].replace('/', '-');
}

/** Its CommonJS hides its parts from a bundler, and its ES modules have no default export, which Node makes of the former. */
function jsoncParser() {
  const esm = 'jsonc-parser/lib/esm/main.js';
  return {
    name: 'jsonc-parser',
    resolveId: (id) => (id === 'jsonc-parser' ? '\0jsonc-parser' : null),
    load: (id) =>
      id === '\0jsonc-parser' ? `import * as all from '${esm}'; export default all; export * from '${esm}';` : null,
  };
}
