// npm run -s sbom [-- <file>]: the software bill of materials (CycloneDX, JSON) of what a server runs: the npm packages as
// package-lock.json has them, and the wheels that set-up installs. Packages of apps are not in it.
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './lib/setup.js';

const { name, dependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
const said = execFileSync('npm', ['sbom', '--sbom-format=cyclonedx', '--package-lock-only'], {
  cwd: ROOT,
  encoding: 'utf8',
  maxBuffer: 64 * 1024 * 1024,
});
const sbom = JSON.parse(said);
// npm takes the name of the folder.
sbom.metadata.component.name = name;
const own = sbom.dependencies.find(({ ref }) => ref === sbom.metadata.component['bom-ref']);
keepWhatRuns();
const wheels = pinned().map((wheel) => ({
  'bom-ref': `pypi:${wheel.name}@${wheel.version}`,
  type: 'application',
  ...wheel,
  scope: 'required',
  purl: `pkg:pypi/${wheel.name}@${wheel.version}`,
}));
sbom.components.push(...wheels);
sbom.dependencies.push(...wheels.map((wheel) => ({ ref: wheel['bom-ref'], dependsOn: [] })));
own.dependsOn.push(...wheels.map((wheel) => wheel['bom-ref']));

const text = `${JSON.stringify(sbom, undefined, 2)}\n`;
const [file] = process.argv.slice(2);
if (file === undefined) process.stdout.write(text);
else writeFileSync(file, text);

/** Leaves out what only development needs. npm's own --omit=dev also leaves out what both need, such as typescript. */
function keepWhatRuns() {
  const direct = new Set(Object.entries(dependencies).map(([name, version]) => `${name}@${version}`));
  own.dependsOn = own.dependsOn.filter((ref) => direct.has(ref));
  const kept = new Set([own.ref]);
  const needs = new Map(sbom.dependencies.map(({ ref, dependsOn }) => [ref, dependsOn]));
  // What is added while this goes on is visited too.
  for (const ref of kept) for (const next of needs.get(ref) ?? []) kept.add(next);
  sbom.components = sbom.components.filter((component) => kept.has(component['bom-ref']));
  sbom.dependencies = sbom.dependencies.filter(({ ref }) => kept.has(ref));
}

/** The wheels that set-up pins to one version. */
function pinned() {
  const folder = join(ROOT, 'scripts', 'lib');
  const files = readdirSync(folder, { recursive: true }).filter((file) => /(^tools\.js|^wheels\/.*\.txt)$/.test(file));
  const text = files.map((file) => readFileSync(join(folder, file), 'utf8')).join('\n');
  return [...text.matchAll(/^(?:\s*requirement: ')?([\w-]+)==([\w.]+)/gm)].map(([, name, version]) => ({
    name,
    version,
  }));
}
