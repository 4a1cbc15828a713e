// npm run bench -- NAME [arguments]: runs one of the benchmarks in this folder, such as `npm run bench -- deploy 5`.
import { readdirSync } from 'node:fs';

/** What the benchmarks are made with. */
const PARTS = ['measure', 'run'];
const names = readdirSync(import.meta.dirname)
  .filter((file) => file.endsWith('.js'))
  .map((file) => file.slice(0, -'.js'.length))
  .filter((name) => !PARTS.includes(name));
const [name, ...args] = process.argv.slice(2);
if (names.includes(name)) {
  // A benchmark finds its own arguments where it would if it were started alone.
  process.argv.splice(1, process.argv.length - 1, `${import.meta.dirname}/${name}.js`, ...args);
  await import(`./${name}.js`);
} else {
  console.error(`Name a benchmark: ${names.join(', ')}.`);
  process.exitCode = 2;
}
