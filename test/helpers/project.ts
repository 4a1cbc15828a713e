import { execFile } from 'node:child_process';
import { cp } from 'node:fs/promises';
import { scratch } from './ends.js';
import { writeFiles } from './files.js';

/** What a command printed and how it ended. */
export interface Outcome {
  code: number;
  /** stdout and stderr, as a person saw them. */
  output: string;
}

const GIT_ENV = {
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_TERMINAL_PROMPT: '0',
  GIT_AUTHOR_NAME: 'Ada',
  GIT_AUTHOR_EMAIL: 'ada@example.com',
  GIT_COMMITTER_NAME: 'Ada',
  GIT_COMMITTER_EMAIL: 'ada@example.com',
};

/** A pusher's repository in a temporary folder, which goes with the test file; driven with the real git. */
export class Project {
  readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
  }

  static async create(files: Record<string, string | Uint8Array> = {}, branch = 'main'): Promise<Project> {
    const project = new Project(await scratch('project-'));
    await project.git('init', '--quiet', '--initial-branch', branch);
    await project.commit(files, 'Begin');
    return project;
  }

  /** A project with the files of a folder. */
  static async copyOf(folder: string): Promise<Project> {
    const project = new Project(await scratch('project-'));
    await cp(folder, project.folder, { recursive: true });
    await project.git('init', '--quiet', '--initial-branch', 'main');
    await project.commit({}, 'Begin');
    return project;
  }

  async write(files: Record<string, string | Uint8Array>): Promise<void> {
    await writeFiles(this.folder, files);
  }

  /** Writes files and commits everything. @returns the commit's id */
  async commit(files: Record<string, string | Uint8Array>, message: string): Promise<string> {
    await this.write(files);
    await this.git('add', '--all');
    const made = await this.git('commit', '--quiet', '--allow-empty', '-m', message);
    if (made.code !== 0) throw new Error(made.output);
    return (await this.git('rev-parse', 'HEAD')).output.trim();
  }

  async git(...args: string[]): Promise<Outcome> {
    return run('git', args, this.folder);
  }
}

/** Runs git or another command as a person would. */
export function run(command: string, args: string[], cwd: string, env: Record<string, string> = {}): Promise<Outcome> {
  return new Promise((resolve) => {
    const child = execFile(
      command,
      args,
      { cwd, env: { ...process.env, ...GIT_ENV, ...env }, maxBuffer: 256 * 1024 * 1024, timeout: 110_000 },
      (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 1;
        resolve({ code, output: `${stdout}${stderr}` });
      },
    );
    child.stdin?.end();
  });
}

/** A small app: what a visitor sees is the text. */
export function textApp(text: string): Record<string, string> {
  return {
    'app.py': `import streamlit as st\n\nst.write(${JSON.stringify(text)})\n`,
    'requirements.txt': 'streamlit\n',
  };
}
