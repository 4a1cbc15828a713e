import { spawn, type ChildProcess } from 'node:child_process';
import { dirname, join } from 'node:path';
import { inject, onTestFinished } from 'vitest';
import { scratch } from './ends.js';
import { ROOT, TOKEN, type TestHost } from './host.js';

const SCRIPT = join(ROOT, 'scripts', 'streamlit-host.js');

export interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** A command that goes on; it ends with the test at the latest. */
export interface Running {
  child: ChildProcess;
  ended: Promise<Ended>;
  /** What it printed so far; on a terminal that is all that was said. */
  printed: () => string;
}

export interface Circumstances {
  /** Added to the person's environment; undefined takes away. */
  env?: Record<string, string | undefined>;
  /** The folder that the person is in: home, unless told. */
  cwd?: string;
}

/** Somebody with the command `streamlit-host`, an account on a host, and a home of their own with nothing of ours in it. */
export class Person {
  readonly home: string;
  readonly #host: TestHost;

  constructor(home: string, host: TestHost) {
    this.home = home;
    this.#host = host;
  }

  static async of(host: TestHost): Promise<Person> {
    return new Person(await scratch('person-'), host);
  }

  /** Runs the command and waits for its end. */
  async run(args: readonly string[], options: Circumstances & { input?: string } = {}): Promise<Ended> {
    const { child, ended } = this.begin(args, options);
    child.stdin?.end(options.input ?? '');
    return ended;
  }

  /** Begins the command and does not wait for its end. */
  begin(args: readonly string[], options: Circumstances = {}): Running {
    return this.#spawn([process.execPath, SCRIPT, ...args], options);
  }

  /** The command on a terminal, which Python has for whoever has none. */
  beginOnTerminal(args: readonly string[], options: Circumstances = {}): Running {
    const terminal = 'import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))';
    return this.#spawn(['python3', '-c', terminal, process.execPath, SCRIPT, ...args], options);
  }

  #spawn([program = '', ...args]: string[], { env, cwd }: Circumstances): Running {
    const child = spawn(program, args, { cwd: cwd ?? this.home, env: { ...this.#env(), ...env }, stdio: 'pipe' });
    onTestFinished(() => void child.kill('SIGKILL'));
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (part: Buffer) => (stdout += part.toString()));
    child.stderr.on('data', (part: Buffer) => (stderr += part.toString()));
    const ended = new Promise<Ended>((resolve) => child.once('close', (code) => resolve({ code, stdout, stderr })));
    return { child, ended, printed: () => stdout };
  }

  #env(): Record<string, string | undefined> {
    const tools = inject('tools');
    return {
      ...process.env,
      PATH: [...(tools.uv === undefined ? [] : [dirname(tools.uv)]), ...tools.redisDirs, process.env.PATH].join(':'),
      HOME: this.home,
      XDG_CONFIG_HOME: join(this.home, 'config'),
      GIT_CONFIG_GLOBAL: join(this.home, 'gitconfig'),
      GIT_TERMINAL_PROMPT: '0',
      UV_CACHE_DIR: tools.cacheDir,
      REDIS_URL: '',
      STREAMLIT_HOST_DATA: join(this.home, 'data'),
      STREAMLIT_HOST_URL: this.#host.url,
      STREAMLIT_HOST_TOKEN: TOKEN,
    };
  }
}
