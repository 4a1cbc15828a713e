import { execFileSync } from 'node:child_process';

/** Returns whether this machine's pip takes --config-settings in a requirements file (https://pip.pypa.io/en/stable/news/#v23-1). */
export function knowsConfigSettings(): boolean {
  const text = execFileSync('python3', ['-m', 'pip', '--version'], { encoding: 'utf8' });
  const [major = 0, minor = 0] = (/^pip (\d+)\.(\d+)/.exec(text) ?? []).slice(1).map(Number);
  return major > 23 || (major === 23 && minor >= 1);
}
