import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { endWithFile } from './ends.js';
import { wheelOf } from './wheel.js';

/** A package index that asks for a password, as https://packaging.python.org/en/latest/specifications/simple-repository-api/ describes. */
export interface PackageIndex {
  /** Its host and port. */
  host: string;
  /** Adds a version of a package. */
  publish: (name: string, version: string, code: string) => void;
}

/**
 * Starts an index on this machine, which ends with the test file.
 * @param path where its pages are, such as `/pypi/`
 * @param credentials the user and the password, with ":" between them
 */
export async function startIndex(path: string, credentials: string): Promise<PackageIndex> {
  const packages = new Map<string, Map<string, Buffer>>();
  const authorization = `Basic ${Buffer.from(credentials).toString('base64')}`;
  const server = createServer((request, response) => {
    if (request.headers.authorization !== authorization) {
      response.writeHead(401, { 'www-authenticate': 'Basic realm="packages"' }).end();
      return;
    }
    const [name = '', file] = (request.url ?? '').slice(path.length).split('/');
    const files = request.url?.startsWith(path) === true ? packages.get(name) : undefined;
    const wheel = files?.get(file ?? '');
    if (wheel !== undefined) response.end(wheel);
    else if (files !== undefined)
      response
        .setHeader('content-type', 'text/html')
        .end([...files.keys()].map((one) => `<a href="${path}${name}/${one}">${one}</a>`).join('\n'));
    else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  endWithFile(() => {
    server.closeAllConnections();
    server.close();
  });
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    publish: (name, version, code) => {
      const { file, bytes } = wheelOf(name, version, code);
      packages.set(name, (packages.get(name) ?? new Map<string, Buffer>()).set(file, bytes));
    },
  };
}
