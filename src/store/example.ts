import { access, cp, mkdtemp, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Git } from './git.js';

/** What the example is made from, and where it is pushed. */
export interface ExampleOptions {
  /** The folder with the example app. */
  from: string;
  /** The folder to be made, once. */
  to: string;
  tmp: string;
  /** Where this server answers. */
  url: string;
  /** The file with the token; undefined where the token is not kept in one. */
  tokenFile: string | undefined;
}

/**
 * Puts the example app into a repository of its own, ready to be pushed. Its own git settings take the token from the
 * file that only this user can read, so that the first push asks no questions and the token stands in no address.
 */
export async function makeExample(git: Git, options: ExampleOptions): Promise<void> {
  const there = await access(join(options.to, '.git')).then(
    () => true,
    () => false,
  );
  if (!there) {
    const draft = await mkdtemp(join(options.tmp, 'example-'));
    try {
      await cp(options.from, draft, { recursive: true });
      await git.run(draft, ['init', '--quiet', '--initial-branch=main', '--template=']);
      await git.run(draft, ['add', '--all']);
      await git.text(draft, ['commit', '-m', 'Say hello'], { env: AUTHOR });
      await rm(options.to, { recursive: true, force: true });
      await rename(draft, options.to);
    } finally {
      await rm(draft, { recursive: true, force: true });
    }
  }
  if (options.tokenFile === undefined) return;
  const helper = `!f() { test "$1" = get && echo username=admin && echo "password=$(cat '${options.tokenFile.replace(/'/g, `'\\''`)}')"; }; f`;
  const key = `credential.${new URL(options.url).origin}.helper`;
  await git.run(options.to, ['config', '--replace-all', key, helper]);
}

const AUTHOR = {
  GIT_AUTHOR_NAME: 'streamlit-host',
  GIT_AUTHOR_EMAIL: 'noreply@streamlit-host.invalid',
  GIT_COMMITTER_NAME: 'streamlit-host',
  GIT_COMMITTER_EMAIL: 'noreply@streamlit-host.invalid',
};
