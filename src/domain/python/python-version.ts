import { Refusal, type RefusalCode } from '../../errors.js';
import { printable } from '../app/app.js';
import { compareVersions, endsBelow, isSpecifier, satisfies } from './specifier.js';

/** The oldest Python that apps run on. */
const OLDEST = '3.9';

/** `3.11.4`, `3.11`, or the same as the one condition. */
const ONE_VERSION = /^(?:={2,3}\s*)?(\d+)(?:\.(\d+)(?:\.(\d+))?)?$/;

/** Which Python an app asks for. */
export interface PythonWish {
  /** The file that says so. */
  file: string;
  /** As it stands there. */
  text: string;
  /** What a version must meet, without its patch. */
  specifier: string;
  /** The exact version, where one is named. */
  exact?: string | undefined;
}

/** A Python of this machine. */
export interface Interpreter {
  /** Such as 3.12.4. */
  version: string;
  executable: string;
}

/**
 * A version that a person wrote, such as `3.11`, `3.11.4`, `python-3.11.4` or `>=3.10`.
 * @param meaning the same as a list of conditions, where another tool's words were translated
 * @throws Refusal `python-invalid`, `python-too-old`
 */
export function parsePythonWish(file: string, text: string, meaning?: string): PythonWish {
  const plain = text.trim().replace(/^(?:c?python[-@ ]?)(?=[\d<>=~])/i, '');
  // A version without a patch number includes all its patches, in every file format.
  const [, major, minor, patch] = ONE_VERSION.exec(plain) ?? ONE_VERSION.exec(meaning ?? '') ?? [];
  const specifier =
    major === undefined ? (meaning ?? plain) : minor === undefined ? `==${major}.*` : `==${major}.${minor}.*`;
  if (plain === '' || !isSpecifier(specifier)) {
    throw refusal(
      'python-invalid',
      file,
      `"${printable(text.trim())}" in ${file} is not a CPython version. Use one such as 3.12.`,
    );
  }
  if (endsBelow(specifier, OLDEST)) {
    throw refusal(
      'python-too-old',
      file,
      `${file} requires Python ${printable(plain)}, but apps need ${OLDEST} or newer. Require a newer version.`,
    );
  }
  return { file, text: plain, specifier, ...(patch === undefined ? {} : { exact: `${major}.${minor}.${patch}` }) };
}

/** What .python-version says: its first line that means something (https://github.com/pyenv/pyenv#choosing-a-python-version). */
export function readPythonVersionFile(file: string, text: string): PythonWish | undefined {
  const line = text
    .replace(/^\uFEFF/, '')
    .split(/\r\n?|\n/)
    .map((one) => (one.split('#', 1)[0] ?? '').trim())
    .find((one) => one !== '');
  // pyenv's word for the machine's own.
  return line === undefined || line === 'system' ? undefined : parsePythonWish(file, line);
}

/**
 * The Python for a wish: the exact one; else the usual one where it fits; else the newest that fits.
 * @param usual what apps run on that wish for nothing
 * @throws Refusal `python-missing` with the versions that are there
 */
export function choosePython(
  wish: PythonWish,
  there: readonly Interpreter[],
  usual: Interpreter,
): { python: Interpreter; note: string } {
  const usable = [usual, ...there].filter(({ version }) => compareVersions(version, OLDEST) >= 0);
  const fitting = usable.filter(({ version }) => satisfies(version, wish.specifier));
  const newest = fitting.toSorted((a, b) => compareVersions(b.version, a.version))[0];
  const python =
    fitting.find(({ version }) => version === wish.exact) ?? fitting.find((one) => one === usual) ?? newest;
  if (python === undefined) {
    const versions = [...new Set(usable.map(({ version }) => version))].sort((a, b) => compareVersions(b, a));
    const list = versions.length === 0 ? 'none' : versions.join(', ');
    throw refusal(
      'python-missing',
      wish.file,
      `${wish.file} requires Python ${printable(wish.text)}, which is not installed on this server. Installed: ${list}. Require one of those, or ask the operator to install it.`,
    );
  }
  const note =
    wish.exact === undefined || wish.exact === python.version
      ? `Python ${python.version}, as required by ${wish.file} (${printable(wish.text)}).`
      : `Python ${python.version}, the closest one installed to ${wish.exact}, which ${wish.file} requires.`;
  return { python, note };
}

function refusal(code: RefusalCode, field: string, sentence: string): Refusal {
  return new Refusal('invalid', code, sentence, { field });
}
