import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, inject, it } from 'vitest';
import { scratch } from '../helpers/ends.js';
import { startHost, TOKEN } from '../helpers/host.js';
import { Project, textApp } from '../helpers/project.js';
import { pushLive } from '../helpers/pushing.js';

// A tool that knows nothing of the server but its document (https://schemathesis.readthedocs.io) tries every operation.

const TOOL = 'schemathesis==4.32.5';

/** Operations that end the server or its answers: a stream has no end. */
const ENDS = ['postServerStop', 'postServerReload', 'getEvents'];

/** What it sends for each operation, beside the cases that it makes of the document's limits. */
const EXAMPLES = 3;

/** How long it may take, in ms: two minutes on a machine with other work. */
const LIMIT_MS = 600_000;

/**
 * What its checks do not know: a schema cannot say all that is refused as invalid (an address that is none, a bucket, a path), and
 * whoever guesses tokens is told to wait.
 */
const SETTINGS = `
[checks]
positive_data_acceptance.expected-statuses = ["2xx", "3xx", "401", "403", "404", "409", "412", "422", "429"]
ignored_auth.enabled = false
`;

it(
  'the server does for every operation what its OpenAPI document says, whatever is sent',
  async () => {
    const { uv = 'uv', cacheDir } = inject('tools');
    const folder = await scratch('schemathesis-');
    const env = { ...process.env, UV_CACHE_DIR: cacheDir };
    const exec = promisify(execFile);
    await exec(uv, ['venv', '--quiet', join(folder, 'venv')], { env });
    await exec(uv, ['pip', 'install', '--quiet', '--python', join(folder, 'venv/bin/python'), TOOL], { env });
    const host = await startHost();
    // The document's own example of an app.
    await pushLive(await Project.create(textApp('text:sales')), host, 'sales');

    await writeFile(join(folder, 'schemathesis.toml'), SETTINGS);
    const argv = [
      ...['--config-file', join(folder, 'schemathesis.toml'), 'run', `${host.url}/api/openapi.json`],
      ...['--header', `Authorization: Bearer ${TOKEN}`, '--seed', '1', '--max-examples', String(EXAMPLES)],
      ...['--phases', 'coverage,fuzzing', '--generation-database', 'none', '--request-timeout', '20'],
      ...['--no-color', '--workers', '2', '--warnings', 'off', '--suppress-health-check', 'all'],
      ...ENDS.flatMap((id) => ['--exclude-operation-id', id]),
    ];
    const program = join(folder, 'venv/bin/schemathesis');
    const options = { cwd: folder, timeout: LIMIT_MS, maxBuffer: 64 * 1024 * 1024 };
    const failed = await exec(program, argv, options).then(
      () => '',
      (error: { stdout: string; stderr: string }) => error.stdout + error.stderr,
    );
    expect(failed).toBe('');
  },
  LIMIT_MS,
);
