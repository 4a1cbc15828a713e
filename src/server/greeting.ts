import { dirname } from 'node:path';
import { ensureFolder } from '../lib/ensure-folder.js';
import type { Logger } from '../logger.js';
import { makeExample } from '../store/example.js';
import type { Git } from '../store/git.js';
import type { Paths } from '../store/paths.js';

/** Prepares the example's repository, ready to push. If that fails, the server starts without it. */
export async function offerExample(
  paths: Paths,
  git: Git,
  example: { from: string; url: string; ownToken: boolean },
  logger: Logger,
): Promise<string | undefined> {
  try {
    await ensureFolder(dirname(paths.example));
    const tokenFile = example.ownToken ? paths.adminToken : undefined;
    await makeExample(git, { from: example.from, to: paths.example, tmp: paths.tmp, url: example.url, tokenFile });
    return paths.example;
  } catch (error) {
    logger.warn({ err: error }, 'the example app could not be prepared');
    return undefined;
  }
}

/**
 * Prints the login link and the next steps, at the end of the startup output.
 * @param base the public base
 * @param apps the base of the apps' own origin, where they have one
 */
export function greet(base: string, code: string, example: string | undefined, apps = base): void {
  const lines = [
    '',
    `  streamlit-host is running at ${base}/`,
    ...(apps === base ? [] : [`  Apps are served at ${apps}/apps/`]),
    '',
    '  Console (one-time login link):',
    '',
    `    ${base}/console/login?code=${code}`,
  ];
  if (example !== undefined) {
    lines.push(
      '',
      '  To deploy the example app:',
      '',
      `    cd ${forShell(example)}`,
      `    git remote add host ${base}/git/hello.git`,
      '    git push host main',
    );
  }
  process.stdout.write(`${lines.join('\n')}\n\n`);
}

/** A path as a shell reads it. */
function forShell(path: string): string {
  return /^[\w./@%+,:-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}
