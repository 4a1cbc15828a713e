import * as client from 'openid-client';
import type { Provider } from '../domain/access/provider.js';
import { claimsOf, type Claims } from '../domain/access/provider-login.js';
import { messageOf, Refusal } from '../errors.js';

/** How long (ms) a provider may take for an answer. */
const LIMIT_MS = 10_000;

/** How long (ms) it is remembered where a provider has what. */
const REMEMBERED_MS = 10 * 60_000;

/** How long (ms) it is remembered that one could not be asked. */
const FAILED_MS = 2_000;

/** The most characters of what a provider says that are logged. */
const MAX_DETAIL = 300;

/** What a browser keeps between leaving for a provider and coming back. */
export interface Leave {
  /** The id of the provider. */
  provider: string;
  state: string;
  nonce: string;
  /** Proves to the provider that who comes back is who left (https://www.rfc-editor.org/rfc/rfc7636). */
  verifier: string;
}

export interface ProvidersOptions {
  providers: readonly Provider[];
  /** Called with why a login failed; without codes and tokens. */
  warn: (facts: Record<string, unknown>, sentence: string) => void;
  /** For tests: how long (ms) a provider may take. */
  limitMs?: number;
  now?: () => number;
}

/** Sends people to a provider of OpenID Connect, and reads what it says of them when they come back. */
export class Providers {
  readonly #options: ProvidersOptions;
  readonly #limitMs: number;
  readonly #now: () => number;
  readonly #found = new Map<string, { metadata: Promise<client.ServerMetadata>; until: number }>();

  constructor(options: ProvidersOptions) {
    this.#options = options;
    this.#limitMs = options.limitMs ?? LIMIT_MS;
    this.#now = options.now ?? Date.now;
  }

  /** All providers, in the order of the settings. */
  list(): readonly Provider[] {
    return this.#options.providers;
  }

  /** @throws Refusal `provider-not-found` */
  get(id: string): Provider {
    const found = this.#options.providers.find((one) => one.id === id);
    if (found !== undefined) return found;
    throw new Refusal('not-found', 'provider-not-found', 'There is no such way to log in. Choose another one.');
  }

  /**
   * Begins a login.
   * @param back where the provider sends the browser afterwards
   * @returns where to send the browser, and what it must bring back @throws Refusal `provider-not-found`, `provider-unreachable`
   */
  async begin(id: string, back: string): Promise<{ url: URL; leave: Leave }> {
    const provider = this.get(id);
    return this.#ask(provider, async () => {
      const config = await this.#config(provider);
      const leave = {
        provider: id,
        state: client.randomState(),
        nonce: client.randomNonce(),
        verifier: client.randomPKCECodeVerifier(),
      };
      const url = client.buildAuthorizationUrl(config, {
        redirect_uri: back,
        scope: provider.scopes,
        state: leave.state,
        nonce: leave.nonce,
        code_challenge: await client.calculatePKCECodeChallenge(leave.verifier),
        code_challenge_method: 'S256',
      });
      return { url, leave };
    });
  }

  /**
   * Ends a login: what the provider says of the person who comes back, once its token has been checked.
   * @param url where the browser was sent to, with its query
   * @throws Refusal `provider-not-found`, `provider-unreachable`, `provider-refused`, `provider-answer-invalid`
   */
  async finish({ provider: id, state, nonce, verifier }: Leave, url: URL): Promise<Claims> {
    const provider = this.get(id);
    return this.#ask(provider, async () => {
      const config = await this.#config(provider);
      const tokens = await client.authorizationCodeGrant(config, url, {
        expectedState: state,
        expectedNonce: nonce,
        pkceCodeVerifier: verifier,
        idTokenExpected: true,
      });
      const said: Record<string, unknown> = { ...tokens.claims() };
      // Many providers put there what they leave out of the token.
      const wanted = ['email', provider.groupsClaim].filter((claim) => claim !== undefined && !(claim in said));
      if (wanted.length === 0 || config.serverMetadata().userinfo_endpoint === undefined)
        return claimsOf(provider, said);
      const more = await client.fetchUserInfo(config, tokens.access_token, String(said.sub));
      return claimsOf(provider, { ...more, ...said });
    });
  }

  /** Where a browser logs out of the provider, too; undefined where it has no such page. @throws Refusal as `begin` does */
  async endUrl(id: string, back: string): Promise<URL | undefined> {
    const provider = this.get(id);
    return this.#ask(provider, async () => {
      const config = await this.#config(provider);
      if (config.serverMetadata().end_session_endpoint === undefined) return undefined;
      return client.buildEndSessionUrl(config, { post_logout_redirect_uri: back });
    });
  }

  /** Each has keys of its own, which are fetched when they are needed: a provider may have replaced them since. */
  async #config(provider: Provider): Promise<client.Configuration> {
    const metadata = await this.#discover(provider);
    const methods = metadata.token_endpoint_auth_methods_supported ?? ['client_secret_basic'];
    const { clientId, clientSecret } = provider;
    const auth =
      clientSecret === undefined
        ? client.None()
        : methods.includes('client_secret_post')
          ? client.ClientSecretPost(clientSecret)
          : client.ClientSecretBasic(clientSecret);
    const config = new client.Configuration(metadata, clientId, clientSecret, auth);
    config.timeout = this.#limitMs / 1_000;
    // The token comes from the provider itself, over TLS; its signature is checked all the same.
    client.enableNonRepudiationChecks(config);
    if (isPlain(provider)) client.allowInsecureRequests(config);
    return config;
  }

  async #discover(provider: Provider): Promise<client.ServerMetadata> {
    const found = this.#found.get(provider.id);
    if (found !== undefined && this.#now() < found.until) return found.metadata;
    // All logins that begin at once ask once, also where nobody answers: anybody can begin some.
    const asked = { metadata: this.#look(provider), until: Number.POSITIVE_INFINITY };
    this.#found.set(provider.id, asked);
    try {
      const metadata = await asked.metadata;
      asked.until = this.#now() + REMEMBERED_MS;
      return metadata;
    } catch (error) {
      asked.until = this.#now() + FAILED_MS;
      throw error;
    }
  }

  async #look(provider: Provider): Promise<client.ServerMetadata> {
    const config = await client.discovery(new URL(provider.issuer), provider.clientId, undefined, client.None(), {
      timeout: this.#limitMs / 1_000,
      execute: isPlain(provider) ? [client.allowInsecureRequests] : [],
    });
    return { ...config.serverMetadata() };
  }

  async #ask<T>(provider: Provider, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof Refusal) throw error;
      const { code, detail } = factsOf(error);
      this.#options.warn({ provider: provider.id, code, detail }, 'a login with a provider failed');
      throw refusalFor(provider, error);
    }
  }
}

/** The settings allow plain HTTP on this machine alone. */
function isPlain({ issuer }: Provider): boolean {
  return issuer.startsWith('http:');
}

/** What may be written of an error: not what was sent, which has codes and tokens in it. */
function factsOf(error: unknown): { code: string | undefined; detail: string } {
  const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  if (error instanceof client.ResponseBodyError || error instanceof client.AuthorizationResponseError)
    return { code, detail: `${error.error}: ${error.error_description ?? ''}`.slice(0, MAX_DETAIL) };
  const cause = error instanceof Error && error.cause instanceof Error ? `: ${error.cause.message}` : '';
  return { code, detail: `${messageOf(error)}${cause}`.slice(0, MAX_DETAIL) };
}

function refusalFor({ name }: Provider, cause: unknown): Refusal {
  if (cause instanceof client.AuthorizationResponseError && cause.error === 'access_denied') {
    return new Refusal(
      'forbidden',
      'provider-refused',
      `${name} did not log you in. Try again, or use another account.`,
    );
  }
  if (isUnreachable(cause)) {
    const sentence = `${name} could not be reached. Try again later, or log in another way.`;
    return new Refusal('unavailable', 'provider-unreachable', sentence, { cause });
  }
  const sentence = `The login with ${name} failed, because its answer is not valid. Try again. If that does not help, ask an admin of this server.`;
  return new Refusal('forbidden', 'provider-answer-invalid', sentence, { cause });
}

/** True where nobody answered, not in time, or with an error of the server's own. */
function isUnreachable(error: unknown): boolean {
  // That is how fetch says so; the library's own have a code.
  if (error instanceof TypeError && !('code' in error)) return true;
  const status = error instanceof Error && error.cause instanceof Response ? error.cause.status : undefined;
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return code === 'OAUTH_TIMEOUT' || code === 'OAUTH_ABORT' || (status !== undefined && status >= 500);
}
