import type { ConfigVars } from './vars.js';
import { secretTexts } from './secrets.js';

/** What is different, by name: never a value. */
export interface NamesDiff {
  added: string[];
  removed: string[];
  /** Those that have another value. */
  changed: string[];
}

/** What is different between two configs. */
export interface ConfigDiff {
  vars: NamesDiff;
  /** The keys and sections at the top of secrets.toml. */
  secrets: NamesDiff;
}

/** The config vars and secrets of a release, as far as they matter here. */
export interface ConfigValues {
  vars: ConfigVars;
  secretsToml: string;
}

/** What changes from one config to the other. */
export function diffConfigs(from: ConfigValues, to: ConfigValues): ConfigDiff {
  return {
    vars: diffNames(from.vars, to.vars),
    secrets: diffNames(secretTexts(from.secretsToml), secretTexts(to.secretsToml)),
  };
}

function diffNames(from: Record<string, string>, to: Record<string, string>): NamesDiff {
  const [before, after] = [new Map(Object.entries(from)), new Map(Object.entries(to))];
  return {
    added: [...after.keys()].filter((name) => !before.has(name)).sort(),
    removed: [...before.keys()].filter((name) => !after.has(name)).sort(),
    changed: [...after.keys()].filter((name) => before.has(name) && before.get(name) !== after.get(name)).sort(),
  };
}
