import { Refusal } from '../../errors.js';
import type { ConfigVars } from '../config/vars.js';

/** Config vars that say where packages come from. All but the last kind hold URLs. */
const INDEXES = /^(PIP|UV)_(EXTRA_)?INDEX_URL$|^UV_(DEFAULT_)?INDEX$/;
const CREDENTIALS = /^UV_INDEX_[A-Z0-9_]+_(USERNAME|PASSWORD)$/;

/**
 * The config vars that a build gets: those that its dependency files name, and those of indexes. Nothing else of an app's
 * config reaches the code of packages.
 * @param named by the dependency files, as `${NAME}`
 * @param known names that the server itself sets for builds
 * @throws Refusal `var-not-found` where a named one is not set, `var-value-invalid` where an index is not an http URL
 */
export function buildVars(
  vars: ConfigVars,
  named: readonly string[],
  known: readonly string[],
  file: string,
): ConfigVars {
  const missing = named.find((name) => vars[name] === undefined && !known.includes(name));
  if (missing !== undefined) {
    throw new Refusal(
      'invalid',
      'var-not-found',
      `${file} uses the config var ${missing}, which is not set. Set it in the app's config, then push again.`,
      { field: `vars.${missing}` },
    );
  }
  const chosen = Object.entries(vars).filter(
    ([name]) => named.includes(name) || INDEXES.test(name) || CREDENTIALS.test(name),
  );
  for (const [name, value] of chosen) {
    // What begins with a slash would be taken for a place on this machine.
    if (
      !INDEXES.test(name) ||
      value
        .trim()
        .split(/[\s,]+/)
        .every((word) => /^([\w.-]+=)?https?:\/\//i.test(word))
    )
      continue;
    throw new Refusal(
      'invalid',
      'var-value-invalid',
      `The config var ${name} is not an http or https URL. Correct it, then push again.`,
      {
        field: `vars.${name}`,
      },
    );
  }
  return Object.fromEntries(chosen);
}
