import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { dirname, join } from 'node:path';
import { AwsClient } from 'aws4fetch';
import { inject } from 'vitest';
import { endWithFile, scratch } from './ends.js';
import { run } from './project.js';

/** A server that speaks S3 (https://docs.getmoto.org/en/latest/docs/server_mode.html), and what of it this needs. */
const PACKAGES = ['moto[s3]==5.2.5', 'flask==3.1.3', 'flask-cors==6.0.5'];
/** Serves until its standard input ends. */
const SERVER = `
import logging, sys
logging.getLogger("werkzeug").setLevel(logging.ERROR)
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print("port", server.get_host_and_port()[1], flush=True)
sys.stdin.read()
server.stop()
`;

/** Starts an S3 with a bucket of that name; it ends with the test file. @returns the variables by which it is reached */
export async function startS3(bucket: string): Promise<Record<string, string>> {
  const python = await environment();
  const child = spawn(python, ['-c', SERVER], { stdio: ['pipe', 'pipe', 'inherit'], env: { HOME: dirname(python) } });
  endWithFile(async () => {
    child.stdin.end();
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  });
  let said = '';
  for await (const part of child.stdout) {
    said += String(part);
    if (said.includes('\n')) break;
  }
  const port = /port (\d+)/.exec(said)?.[1];
  if (port === undefined) throw new Error(`S3 did not start: ${said}`);
  const endpoint = `http://127.0.0.1:${port}`;
  const [keyId, secret] = ['key', 'secret'];
  const client = new AwsClient({ accessKeyId: keyId, secretAccessKey: secret, service: 's3', region: 'us-east-1' });
  const made = await client.fetch(`${endpoint}/${bucket}`, { method: 'PUT' });
  if (!made.ok) throw new Error(`the bucket could not be made: ${await made.text()}`);
  return { AWS_ACCESS_KEY_ID: keyId, AWS_SECRET_ACCESS_KEY: secret, AWS_ENDPOINT_URL_S3: endpoint };
}

/** @returns the Python of an environment with the server */
async function environment(): Promise<string> {
  const { uv, cacheDir } = inject('tools');
  if (uv === undefined) throw new Error('uv is needed to install the S3 server');
  const folder = join(await scratch('s3-'), 'environment');
  const python = join(folder, 'bin/python');
  for (const argv of [
    ['venv', '--quiet', folder],
    ['pip', 'install', '--quiet', '--python', python, ...PACKAGES],
  ]) {
    const { code, output } = await run(uv, argv, dirname(folder), { UV_CACHE_DIR: cacheDir });
    if (code !== 0) throw new Error(`uv ${argv.join(' ')} ended with ${code}: ${output}`);
  }
  return python;
}
