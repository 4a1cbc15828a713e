import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * The package that a file belongs to.
 * @param {string} file
 * @returns {string | undefined} its folder; undefined where the file is in no package
 */
export function packageOf(file) {
  return /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(file.replaceAll('\0', ''))?.[0];
}

/**
 * The licences of packages, as one text: each asks that it goes with every copy.
 * @param {Iterable<string>} folders of packages
 * @param {string} mit the text of the MIT licence, for packages that only name it
 * @throws Error where a package has no licence
 */
export function licencesOf(folders, mit) {
  const packages = [...new Set(folders)]
    .map((folder) => readPackage(folder, mit))
    .sort((a, b) => (a.title < b.title ? -1 : 1));
  const parts = packages.map(({ title, licence, texts }) => [`${title} (${licence})`, ...texts].join('\n\n'));
  return [...new Set(parts)].join(`\n\n${'-'.repeat(80)}\n\n`) + '\n';
}

function readPackage(folder, mit) {
  const facts = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const { name, version, author, license = facts.licenses?.[0]?.type } = facts;
  const files = readdirSync(folder)
    .filter((file) => /^(licen[cs]e|copying|notice)\b/i.test(file))
    .sort();
  const texts = files.map((file) => readFileSync(join(folder, file), 'utf8').trim());
  if (texts.length === 0 && license === 'MIT')
    texts.push(
      mit.trim().replace(/^Copyright .*$/m, `Copyright (c) ${author?.name ?? author ?? `the authors of ${name}`}`),
    );
  if (license === undefined || texts.length === 0) throw new Error(`${name} has no licence.`);
  return { title: `${name} ${version}`, licence: license, texts };
}
