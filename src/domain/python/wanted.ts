import { Refusal } from '../../errors.js';
import { printable } from '../app/app.js';

/** A package that a project wants, as the tools of Python's world write it in their own tables. */
export interface Wanted {
  extras?: readonly string[] | undefined;
  /** Such as `>=1.2,<2`; empty for any version. */
  specifier?: string | undefined;
  /** Where it is, in place of a version: an address, a git repository, or a folder of the project. */
  url?: string | undefined;
  git?: string | undefined;
  /** A branch, a tag or a commit. */
  ref?: string | undefined;
  subdirectory?: string | undefined;
  path?: string | undefined;
  /** Conditions of the surroundings, all of which must hold. */
  markers?: readonly (string | undefined)[] | undefined;
}

/** What a file of another format says, as lines of a requirements file. */
export interface Translation {
  lines: string[];
  /** Which Python it asks for, as it stands there and as `satisfies` reads it. */
  python?: { text: string; specifier: string } | undefined;
  /** What its author should know of the translation. */
  notes: string[];
}

/**
 * The line of a requirements file for a package.
 * @throws Refusal `requirements-unsupported` where it would not be one line, or not one of a package
 */
export function requirementLine(file: string, name: string, wanted: Wanted): string {
  if (!/^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$/.test(name)) {
    throw unsupported(file, `"${printable(name)}" is not a valid package name`);
  }
  const extras = wanted.extras === undefined || wanted.extras.length === 0 ? '' : `[${wanted.extras.join(',')}]`;
  const markers = (wanted.markers ?? []).filter((marker) => marker !== undefined && marker.trim() !== '');
  const condition =
    markers.length === 1
      ? ` ; ${markers[0]}`
      : markers.length > 1
        ? ` ; ${markers.map((one) => `(${one})`).join(' and ')}`
        : '';
  let line = `${name}${extras}${wanted.specifier ?? ''}${condition}`;
  if (wanted.git !== undefined) {
    const folder = wanted.subdirectory === undefined ? '' : `#subdirectory=${wanted.subdirectory}`;
    const address = wanted.git.startsWith('git+') ? wanted.git : `git+${overSsh(wanted.git)}`;
    line = `${name}${extras} @ ${address}${wanted.ref === undefined ? '' : `@${wanted.ref}`}${folder}${condition}`;
  } else if (wanted.url !== undefined) line = `${name}${extras} @ ${wanted.url}${condition}`;
  else if (wanted.path !== undefined)
    line = `${/^[./]/.test(wanted.path) ? wanted.path : `./${wanted.path}`}${extras}${condition}`;
  // More than one line, or a comment in the middle, would be something else than what the file says.
  // eslint-disable-next-line no-control-regex
  if (/[\u0000-\u001f]|\s#/.test(line)) throw unsupported(file, `its entry for ${name} is not a single requirement`);
  return line;
}

/** The refusal for what cannot be said in a requirements file. @param what "its package x is …" */
export function unsupported(file: string, what: string): Refusal {
  const sentence = `Cannot use ${file}: ${what}. Change it, or add a requirements.txt and set dependencies = "requirements.txt" in streamlit-host.toml.`;
  return new Refusal('invalid', 'requirements-unsupported', sentence, { field: file });
}

/** A value that was parsed, where it is a table. */
export function tableOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
}

/** A value that was parsed, where it is a text. */
export function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

/** The texts of a value that was parsed, where it is a list. */
export function textsOf(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((one): one is string => typeof one === 'string') : [];
}

/** The tables of a value that was parsed, where it is a list. */
export function tablesOf(value: unknown): Record<string, unknown>[] {
  return Array.isArray(value) ? value.map(tableOf) : [];
}

/** git's short form `git@host:path` is not a URL. */
function overSsh(address: string): string {
  const short = /^([\w.-]+@[\w.-]+):(?!\/)(.+)$/.exec(address);
  return short === null ? address : `ssh://${short[1]}/${short[2]}`;
}
