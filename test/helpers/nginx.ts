import { execFile, spawn } from 'node:child_process';
import { createHash, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { endWithFile, scratch } from './ends.js';
import { until } from './host.js';

/** What stands between browsers and a server. */
export interface Proxy {
  /** The name that its certificate is for. */
  name: string;
  /** Its own port, on this machine alone. */
  port: number;
  /** The server's port. */
  to: number;
  /** Added to the settings in docs/operations.md. */
  more?: string;
}

/**
 * Starts nginx as docs/operations.md sets it up, with a certificate of an authority made for it. It ends with the test file.
 * @returns the hash by which Chromium trusts the authority (--ignore-certificate-errors-spki-list)
 */
export async function startNginx({ name, port, to, more = '' }: Proxy): Promise<string> {
  const folder = await scratch('nginx-');
  const authority = await certificates(folder, name);
  const docs = await readFile(new URL('../../docs/operations.md', import.meta.url), 'utf8');
  const location = (/```nginx\n([^]+?)```/.exec(docs)?.[1] ?? '').replace(
    'proxy_pass http://127.0.0.1:8080;',
    `proxy_pass http://127.0.0.1:${to};\n${more}`,
  );
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (of) => `${of}_temp_path ${folder}/${of};`,
  );
  const config = `daemon off;
${process.getuid?.() === 0 ? 'user root;' : ''}
worker_processes 1;
pid ${folder}/pid;
error_log stderr warn;
events {}
http {
  access_log off;
  ${temporary.join('\n  ')}
  map $http_upgrade $connection_upgrade { default upgrade; '' ''; }
  server {
    listen 127.0.0.1:${port} ssl http2;
    server_name ${name};
    ssl_certificate ${folder}/chain.pem;
    ssl_certificate_key ${folder}/key.pem;
    ${location}
  }
}
`;
  await writeFile(join(folder, 'nginx.conf'), config);
  const child = spawn('nginx', ['-p', folder, '-c', join(folder, 'nginx.conf'), '-e', 'stderr'], {
    env: { PATH: `${process.env.PATH}:/usr/sbin:/sbin` },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const exited = once(child, 'exit');
  endWithFile(async () => {
    child.kill('SIGTERM');
    await exited;
  });
  await until('nginx listens', () => {
    if (child.exitCode !== null) throw new Error(`nginx ended with ${child.exitCode}:\n${said}`);
    return listens(port);
  });
  return authority;
}

/** Makes an authority, and a certificate of it for a name. @returns the hash of the authority's public key */
async function certificates(folder: string, name: string): Promise<string> {
  const openssl = (...args: string[]) => promisify(execFile)('openssl', args, { cwd: folder });
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  await openssl(
    'req',
    '-x509',
    ...key,
    '-keyout',
    'ca.key',
    '-out',
    'ca.pem',
    '-days',
    '2',
    '-subj',
    '/CN=An authority',
  );
  await openssl('req', ...key, '-keyout', 'key.pem', '-out', 'request.pem', '-subj', `/CN=${name}`);
  await writeFile(join(folder, 'more'), `subjectAltName=DNS:${name}\n`);
  await openssl(
    ...['x509', '-req', '-in', 'request.pem', '-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2'],
    ...['-extfile', 'more', '-out', 'own.pem'],
  );
  const [own, authority] = await Promise.all(['own.pem', 'ca.pem'].map((file) => readFile(join(folder, file), 'utf8')));
  await writeFile(join(folder, 'chain.pem'), `${own}${authority}`);
  const { publicKey } = new X509Certificate(authority ?? '');
  return createHash('sha256')
    .update(publicKey.export({ type: 'spki', format: 'der' }))
    .digest('base64');
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true));
    socket.once('error', () => resolve(false));
    socket.once('close', () => socket.destroy());
    socket.once('connect', () => socket.destroy());
  });
}
