import { createHmac } from 'node:crypto';
import { exportJWK, exportSPKI, generateKeyPair } from 'jose';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { CiIssuers } from '../../../src/host/ci-issuers.js';
import { CiServer } from '../../helpers/ci-server.js';

const BASE = 'https://apps.example.com';
const LIMIT_MS = 200;

let server: CiServer;
let issuers: CiIssuers;
let warned: string[];
let late: number;
const clock = (): number => Date.now() + late;

beforeAll(async () => {
  server = await CiServer.start('RS256');
});
beforeEach(() => {
  server.instead = undefined;
  server.claims = undefined;
  server.asked.length = 0;
  late = 0;
  warned = [];
  issuers = open();
});

function open(): CiIssuers {
  return new CiIssuers({
    issuers: server.issuers('github'),
    warn: ({ detail }) => warned.push(String(detail)),
    limitMs: LIMIT_MS,
    now: clock,
  });
}

const refused = (token: string, code: string): Promise<void> =>
  expect(issuers.check(token)).rejects.toMatchObject({ code });

/** A token whose head or body is another one, and whose signature was left alone. */
function swapped(token: string, change: { head?: object; body?: (claims: object) => object }): string {
  const [head = '', body = '', signature = ''] = token.split('.');
  const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const claims = JSON.parse(Buffer.from(body, 'base64url').toString()) as object;
  return [change.head ? encode(change.head) : head, encode(change.body?.(claims) ?? claims), signature].join('.');
}

test('a token of a job is taken for what its issuer says, and its keys are fetched once', async () => {
  const token = await server.github(BASE);
  const proof = await issuers.check(token);
  expect(proof).toMatchObject({
    issuer: { name: new URL(server.url).host, service: 'github' },
    job: { repository: 'octo/shop', repositoryId: '4242', ref: 'refs/heads/main', event: 'push', run: '777' },
    audiences: [BASE],
    hash: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
  });
  expect((await issuers.check(token)).hash).toBe(proof.hash);
  expect((await issuers.check(await server.github(BASE))).hash).not.toBe(proof.hash);
  expect(server.asked).toEqual(['/.well-known/openid-configuration', '/keys']);
});

describe('a token is refused', () => {
  test('with a signature of someone else, under the name of the right key', async () => {
    const { privateKey } = await generateKeyPair('RS256');
    await refused(await server.github(BASE, { key: privateKey, alg: 'RS256' }), 'ci-token-invalid');
  });

  test('with claims that were changed afterwards', async () => {
    const token = await server.github(BASE);
    await refused(swapped(token, { body: (claims) => ({ ...claims, repository: 'octo/other' }) }), 'ci-token-invalid');
  });

  test('without a signature', async () => {
    const none = swapped(await server.github(BASE), { head: { alg: 'none', kid: server.kid, typ: 'JWT' } });
    await refused(none, 'ci-token-invalid');
    await refused(none.replace(/[^.]+$/, ''), 'ci-token-invalid');
  });

  test('with the public key as a shared secret', async () => {
    const token = swapped(await server.github(BASE), { head: { alg: 'HS256', kid: server.kid, typ: 'JWT' } });
    const signed = token.slice(0, token.lastIndexOf('.'));
    const pem = (await exportSPKI(server.open)).trim();
    for (const secret of [pem, `${pem}\n`]) {
      const mac = createHmac('sha256', secret).update(signed).digest('base64url');
      await refused(`${signed}.${mac}`, 'ci-token-invalid');
    }
  });

  test('of an issuer that nobody has named, which is not asked', async () => {
    const other = await CiServer.start();
    await refused(await other.github(BASE), 'ci-token-invalid');
    await refused(await other.github(BASE, { claims: { iss: server.url } }), 'ci-token-invalid');
    await refused(await server.github(BASE, { claims: { iss: `${server.url}/` } }), 'ci-token-invalid');
    await refused(await server.github(BASE, { claims: { iss: undefined } }), 'ci-token-invalid');
    expect(other.asked).toEqual([]);
  });

  test('with the key of another issuer that is trusted', async () => {
    const other = await CiServer.start();
    issuers = new CiIssuers({
      issuers: [...server.issuers('github'), ...other.issuers('gitlab').slice(2)],
      warn: () => undefined,
    });
    await issuers.check(await other.gitlab(BASE));
    await refused(await other.github(BASE, { claims: { iss: server.url } }), 'ci-token-invalid');
  });

  test('before and after its time, but not for clocks that differ a little', async () => {
    const now = Math.floor(Date.now() / 1_000);
    await refused(await server.github(BASE, { at: now - 400 }), 'ci-token-expired');
    await refused(await server.github(BASE, { at: now + 90 }), 'ci-token-invalid');
    await issuers.check(await server.github(BASE, { at: now - 310 }));
    await issuers.check(await server.github(BASE, { at: now + 10 }));
    await refused(await server.github(BASE, { claims: { nbf: now + 90 } }), 'ci-token-invalid');
  });

  test('that works for longer than a day', async () => {
    await issuers.check(await server.github(BASE, { lasts: 23 * 3_600 }));
    await refused(await server.github(BASE, { lasts: 25 * 3_600 }), 'ci-token-invalid');
    const before = Math.floor(Date.now() / 1_000) - 25 * 3_600;
    await refused(await server.github(BASE, { at: before, lasts: 26 * 3_600 }), 'ci-token-expired');
  });

  test.each(['jti', 'exp', 'iat', 'aud', 'repository', 'repository_id', 'ref', 'event_name'])(
    'without %s',
    async (claim) => refused(await server.github(BASE, { claims: { [claim]: undefined } }), 'ci-token-invalid'),
  );

  test.each(['', '.', '..', 'a.b.c', 'e30.e30.', 'x'.repeat(10_000), `${'x.'.repeat(100)}x`])(
    'that is none: %#',
    async (text) => {
      await refused(text, 'ci-token-invalid');
      expect(server.asked).toEqual([]);
    },
  );
});

describe('keys', () => {
  test('that were replaced are fetched, and those from before no longer count', async () => {
    const before = await server.github(BASE);
    await issuers.check(before);
    await server.rotate();
    late += 31_000;
    await issuers.check(await server.github(BASE));
    await refused(before, 'ci-token-invalid');
  });

  test('that nobody has are not asked for again and again', async () => {
    await issuers.check(await server.github(BASE));
    const garbage = await server.github(BASE, { kid: 'nobody' });
    const flood = Array.from({ length: 50 }, () => refused(garbage, 'ci-token-invalid'));
    await Promise.all(flood);
    expect(server.asked).toHaveLength(2);
    late += 31_000;
    await Promise.all(Array.from({ length: 50 }, () => refused(garbage, 'ci-token-invalid')));
    expect(server.asked).toHaveLength(4);
    await issuers.check(await server.github(BASE));
    expect(server.asked).toHaveLength(4);
  });

  test('are fetched again after some minutes', async () => {
    await issuers.check(await server.github(BASE));
    late += 11 * 60_000;
    await issuers.check(await server.github(BASE, { at: Math.floor(clock() / 1_000) }));
    expect(server.asked).toHaveLength(4);
  });

  test('without a name, or several of one name, sign nothing', async () => {
    await refused(await server.github(BASE, { kid: null }), 'ci-token-invalid');
    issuers = open();
    server.instead = (request, response) => {
      void exportJWK(server.open).then((open) => {
        const key = { ...open, use: 'sig', kid: server.kid };
        const found = { issuer: server.url, jwks_uri: `${server.url}/keys` };
        response.end(JSON.stringify(request.url === '/keys' ? { keys: [key, key] } : found));
      });
    };
    await refused(await server.github(BASE), 'ci-token-invalid');
  });
});

describe('an issuer', () => {
  /** Answers that come instead of the discovery document, and what the log says of them. */
  const unreachable = async (detail: RegExp): Promise<void> => {
    const token = await server.github(BASE);
    await refused(token, 'ci-issuer-unreachable');
    expect(warned.join()).toMatch(detail);
    expect(warned.join()).not.toContain(token);
    // It is given a moment, and then asked again.
    const { length } = server.asked;
    await refused(token, 'ci-issuer-unreachable');
    expect(server.asked).toHaveLength(length);
    expect(warned).toHaveLength(1);
    server.instead = undefined;
    late += 6_000;
    await issuers.check(token);
  };

  test('that is away is not taken for one that refuses', async () => {
    server.instead = (request) => request.socket.destroy();
    await unreachable(/connection failed/);
  });

  test('that does not answer is not waited for', async () => {
    server.instead = () => undefined;
    await unreachable(/did not answer within 0.2 s/);
  });

  test('that never ends its answer is not waited for', async () => {
    server.instead = (_, response) => {
      const drip = setInterval(() => response.write(' '), 20);
      response.once('close', () => clearInterval(drip));
    };
    await unreachable(/./);
  });

  test('that answers with too much is not read to its end', async () => {
    let sent = 0;
    server.instead = (_, response) => {
      const more = (): void => {
        while (!response.destroyed && response.write(' '.repeat(64 * 1024))) sent += 64 * 1024;
      };
      response.on('drain', more);
      more();
    };
    await unreachable(/too large/);
    expect(sent).toBeLessThan(64 * 1024 * 1024);
  });

  test('that sends elsewhere is not followed', async () => {
    const elsewhere = await CiServer.start();
    server.instead = (request, response) =>
      void response.writeHead(302, { location: `${elsewhere.url}${request.url}` }).end();
    await unreachable(/answered with 302/);
    expect(elsewhere.asked).toEqual([]);
  });

  test('that calls itself by another name, or has its keys elsewhere, is refused', async () => {
    const elsewhere = await CiServer.start();
    const documents = [
      { issuer: elsewhere.url, jwks_uri: `${server.url}/keys` },
      { issuer: server.url, jwks_uri: `${elsewhere.url}/keys` },
      { issuer: server.url, jwks_uri: 'file:///etc/passwd' },
      { issuer: server.url },
    ];
    for (const document of documents) {
      issuers = open();
      server.claims = document;
      await refused(await server.github(BASE), 'ci-issuer-unreachable');
    }
    expect(elsewhere.asked).toEqual([]);
  });
});
