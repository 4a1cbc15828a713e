import { createSign, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import Provider, { type Configuration } from 'oidc-provider';

/** What the provider says of a person, besides `sub`, by login name. */
export type Persons = Record<string, Record<string, unknown>>;

interface Key {
  id: string;
  secret: KeyObject;
}

/** A real provider of OpenID Connect on a port of its own, where people log in by their name alone. */
export class OidcProvider {
  /** Changes what is in a token before it is signed with a key of the provider. */
  forge: ((claims: Record<string, unknown>) => Record<string, unknown>) | undefined;
  /** Signs tokens in place of the provider's own key, under its name. */
  foreign: KeyObject | undefined;
  readonly persons: Persons;
  readonly url: string;
  #key = keyNamed('first');
  #handler: RequestListener = (_, response) => void response.writeHead(503).end();
  #redirect = '';
  readonly #close: () => Promise<void>;

  private constructor(url: string, persons: Persons, close: () => Promise<void>) {
    this.url = url;
    this.persons = persons;
    this.#close = close;
  }

  /** Listens; people can log in once it serves a server. */
  static async start(persons: Persons): Promise<OidcProvider> {
    let handle: RequestListener = (_, response) => void response.writeHead(503).end();
    const server = createServer((request, response) => void handle(request, response));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const close = (): Promise<void> =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const provider = new OidcProvider(url, persons, close);
    handle = (request, response) => void provider.#handler(request, response);
    return provider;
  }

  /** @param base the public URL of the server whose people log in here @param id how its settings call the provider */
  serve(base: string, id = 'oidc'): void {
    this.#redirect = `${base}/console/login/${id}/callback`;
    this.#handler = this.#provider();
  }

  /** Replaces the key that tokens are signed with. */
  rotate(): void {
    this.#key = keyNamed('second');
    this.#handler = this.#provider();
  }

  close(): Promise<void> {
    return this.#close();
  }

  #provider(): RequestListener {
    const { id, secret } = this.#key;
    const configuration: Configuration = {
      clients: [
        {
          client_id: 'streamlit-host',
          client_secret: 'a-secret-of-the-tests',
          redirect_uris: [this.#redirect],
          post_logout_redirect_uris: [this.#redirect.replace(/\/[^/]+\/callback$/, '')],
        },
      ],
      jwks: { keys: [{ ...secret.export({ format: 'jwk' }), kid: id, use: 'sig', alg: 'RS256' }] as never },
      claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name', 'groups'] },
      findAccount: (_, sub) => ({ accountId: sub, claims: () => ({ sub, ...this.persons[sub] }) }),
      features: { devInteractions: { enabled: false } },
      interactions: { url: (_, { uid }) => `/interaction/${uid}` },
      cookies: { keys: ['the key of the tests'] },
      // Nobody is asked what they agree to.
      async loadExistingGrant({ oidc }) {
        const grant = new oidc.provider.Grant({
          ...{ clientId: oidc.client?.clientId, accountId: oidc.session?.accountId },
        });
        grant.addOIDCScope('openid email profile');
        await grant.save();
        return grant;
      },
    };
    const provider = new Provider(this.url, configuration);
    provider.use(async (ctx, next) => {
      const [, uid] = /^\/interaction\/([\w-]+)$/.exec(ctx.path) ?? [];
      if (uid === undefined) {
        await next();
        const body = ctx.body as { id_token?: string } | undefined;
        if (ctx.path === '/token' && body?.id_token !== undefined) body.id_token = this.#sign(body.id_token);
        return;
      }
      const { name } = ctx.query;
      if (typeof name !== 'string') {
        ctx.type = 'html';
        ctx.body = '<!doctype html><form><label>Name <input name="name"></label><button>Continue</button></form>';
        return;
      }
      const result = name === '' ? { error: 'access_denied' } : { login: { accountId: name } };
      ctx.redirect(await provider.interactionResult(ctx.req, ctx.res, result, { mergeWithLastSubmission: false }));
    });
    const answer = provider.callback();
    return (request, response) => void answer(request, response);
  }

  #sign(token: string): string {
    if (this.forge === undefined && this.foreign === undefined) return token;
    const [head = '', body = ''] = token.split('.');
    const claims = JSON.parse(Buffer.from(body, 'base64url').toString()) as Record<string, unknown>;
    const forged = Buffer.from(JSON.stringify(this.forge?.(claims) ?? claims)).toString('base64url');
    const signer = createSign('RSA-SHA256').update(`${head}.${forged}`);
    return `${head}.${forged}.${signer.sign(this.foreign ?? this.#key.secret).toString('base64url')}`;
  }
}

const keys = new Map<string, Key>();

/** Keys take long to make, so all providers have the same. */
function keyNamed(id: string): Key {
  const key = keys.get(id) ?? { id, secret: generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey };
  keys.set(id, key);
  return key;
}
