import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWTPayload } from 'jose';
import { ciIssuers, type CiIssuer } from '../../src/domain/access/ci.js';
import { endWithFile } from './ends.js';

/** What keys are for: public services have the first kind, and those of the second are made in no time. */
type Algorithm = 'RS256' | 'ES256';

interface Key {
  id: string;
  alg: Algorithm;
  secret: CryptoKey;
  open: CryptoKey;
}

/** What a token has that is not usual. */
export interface Odd {
  /** Claims in place of the usual ones; undefined leaves one out. */
  claims?: Record<string, unknown>;
  /** When it was issued (s), and for how long (s) it works. */
  at?: number;
  lasts?: number;
  /** The key that signs it in place of the newest one, and the name that it goes by; null leaves that out. */
  key?: CryptoKey | Uint8Array;
  kid?: string | null;
  alg?: string;
}

let serial = 0;

/** A real CI service, as far as its ID tokens go: it signs them, and shows its public keys on a port of its own. */
export class CiServer {
  readonly url: string;
  /** The paths that were asked for. */
  readonly asked: string[] = [];
  /** Answers in its place. */
  instead: RequestListener | undefined;
  /** What it says of itself in place of the truth. */
  claims: object | undefined;
  #keys: Key[] = [];

  private constructor(url: string) {
    this.url = url;
  }

  /** Listens until the test file ends. */
  static async start(alg: Algorithm = 'ES256'): Promise<CiServer> {
    let handle: RequestListener = (_, response) => void response.end();
    const server = createServer((request, response) => handle(request, response));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    endWithFile(
      () =>
        new Promise<void>((resolve) => {
          server.close(() => resolve());
          server.closeAllConnections();
        }),
    );
    const ci = new CiServer(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    await ci.rotate(alg);
    handle = (request, response) => {
      ci.asked.push(request.url ?? '');
      if (ci.instead !== undefined) return ci.instead(request, response);
      void ci.#answer(request.url ?? '').then(
        (body) => response.end(JSON.stringify(body)),
        (error: unknown) => response.writeHead(500).end(String(error)),
      );
    };
    return ci;
  }

  /** The setting that names it. */
  named(service: 'github' | 'gitlab'): string {
    return `${service}=${this.url}`;
  }

  /** It as the server knows it, after the public ones. */
  issuers(service: 'github' | 'gitlab'): CiIssuer[] {
    return ciIssuers([this.named(service)]);
  }

  /** Signs with a new key from now on, and shows no other. */
  async rotate(alg: Algorithm = 'ES256'): Promise<void> {
    const { publicKey: open, privateKey: secret } = await generateKeyPair(alg, { extractable: true });
    this.#keys = [{ id: `key-${(serial += 1)}`, alg, secret, open }];
  }

  /** The public key, as everybody sees it. */
  get open(): CryptoKey {
    return this.#newest.open;
  }

  get kid(): string {
    return this.#newest.id;
  }

  /** The ID token of a job of GitHub Actions. */
  async github(audience: string, odd: Odd = {}): Promise<string> {
    return this.#sign(
      {
        ...{ aud: audience, sub: 'repo:octo/shop:ref:refs/heads/main', repository: 'octo/shop', repository_id: '4242' },
        ...{ ref: 'refs/heads/main', ref_type: 'branch', event_name: 'push', run_id: '777', run_attempt: '1' },
      },
      odd,
    );
  }

  /** The ID token of a job of GitLab CI. */
  async gitlab(audience: string, odd: Odd = {}): Promise<string> {
    return this.#sign(
      {
        ...{ aud: audience, sub: 'project_path:octo/apps/shop:ref_type:branch:ref:main' },
        ...{ project_path: 'octo/apps/shop', project_id: '99', ref: 'main', ref_type: 'branch' },
        ...{ pipeline_source: 'push', pipeline_id: '888' },
      },
      odd,
    );
  }

  get #newest(): Key {
    const [key] = this.#keys;
    if (key === undefined) throw new Error('it has no key');
    return key;
  }

  async #sign(claims: JWTPayload, odd: Odd): Promise<string> {
    const { at = Math.floor(Date.now() / 1_000), lasts = 300, alg = this.#newest.alg, kid = this.kid } = odd;
    const dates = { iat: at, nbf: at, exp: at + lasts };
    const all = { iss: this.url, jti: `jti-${(serial += 1)}`, ...dates, ...claims, ...odd.claims };
    const payload = JSON.parse(JSON.stringify(all)) as JWTPayload;
    return new SignJWT(payload)
      .setProtectedHeader({ alg, typ: 'JWT', ...(kid === null ? {} : { kid }) })
      .sign(odd.key ?? this.#newest.secret);
  }

  async #answer(path: string): Promise<unknown> {
    if (path === '/.well-known/openid-configuration')
      return this.claims ?? { issuer: this.url, jwks_uri: `${this.url}/keys` };
    const keys = this.#keys.map(async ({ id, alg, open }) => ({
      ...(await exportJWK(open)),
      kid: id,
      use: 'sig',
      alg,
    }));
    return { keys: await Promise.all(keys) };
  }
}
