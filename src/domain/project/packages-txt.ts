import { Refusal } from '../../errors.js';
import { asClause } from '../../lib/words.js';
import { printable } from '../app/app.js';
import { listed } from '../../lib/words.js';

/** The file that names Debian packages, as on Streamlit Community Cloud. */
export const PACKAGES_FILE = 'packages.txt';

/** What Debian allows as a name, with an architecture where one is named (https://www.debian.org/doc/debian-policy/ch-controlfields.html#source). */
const NAME = /^[a-z0-9][a-z0-9+.-]+(:[a-z0-9-]+)?$/;

/**
 * The Debian packages that an app names in packages.txt, as Streamlit Community Cloud reads it: a name a line, with
 * comments and blank lines.
 * @throws Refusal `packages-invalid` with the line of an invalid name
 */
export function parsePackages(text: string): string[] {
  const names = text
    .replace(/^\uFEFF/, '')
    .split(/\r\n?|\n/)
    .flatMap((line, index) =>
      line
        .slice(0, commentAt(line))
        .split(/\s+/)
        .filter((word) => word !== '')
        .map((word) => nameOf(word, index + 1)),
    );
  return [...new Set(names)];
}

/** The refusal for packages that this machine does not have. */
export function missingPackages(names: readonly string[]): Refusal {
  const what =
    names.length === 1
      ? `${listed(names)}, which is not installed on this server`
      : `${listed(names)}, which are not installed on this server`;
  const sentence = `${PACKAGES_FILE} lists ${what}. Ask the operator to run "apt-get install ${names.join(' ')}", then push again.`;
  return new Refusal('invalid', 'packages-missing', sentence, { field: PACKAGES_FILE });
}

/** The refusal for packages that apt-get could not install. @param why in its own words */
export function packagesNotInstalled(names: readonly string[], why: string, cause: unknown): Refusal {
  return new Refusal(
    'invalid',
    'packages-not-installed',
    `Could not install ${listed(names)} from ${PACKAGES_FILE}: ${asClause(why)}.`,
    {
      field: PACKAGES_FILE,
      cause,
    },
  );
}

/** Where a line's comment begins; its end where it has none. */
function commentAt(line: string): number {
  const at = line.indexOf('#');
  return at === -1 ? line.length : at;
}

function nameOf(word: string, line: number): string {
  if (NAME.test(word) && word.length <= 100) return word;
  throw new Refusal(
    'invalid',
    'packages-invalid',
    `"${printable(word)}" in line ${line} of ${PACKAGES_FILE} is not a valid Debian package name. Write one name per line, such as ffmpeg.`,
    { field: PACKAGES_FILE },
  );
}
