import type { CiRule } from '../domain/access/ci-rule.js';
import type { Principal } from '../domain/access/principal.js';
import type { Scope } from '../domain/access/scopes.js';
import { CI_TOKEN_MS } from '../domain/access/ci.js';
import { DAYS, isActive, looksLikeToken, parseTokenName, type Token } from '../domain/access/tokens.js';
import { Refusal } from '../errors.js';
import type { AppStore } from '../store/apps.js';
import type { Tokens } from '../store/tokens.js';
import type { People } from './people.js';

export interface AccessTokensOptions {
  tokens: Tokens;
  people: Pick<People, 'principal'>;
  store: Pick<AppStore, 'get' | 'find' | 'subscribe'>;
  /** Called with what could not be written. */
  warn: (sentence: string) => void;
  now?: () => number;
}

/** A new token: only here is the secret. */
export interface NewToken {
  token: Token;
  secret: string;
}

/** Makes and revokes tokens, and says whom they speak for. */
export class AccessTokens {
  readonly #options: AccessTokensOptions;
  readonly #now: () => number;

  constructor(options: AccessTokensOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
    // Another app may get the same id.
    options.store.subscribe((id, app) => {
      if (app !== undefined) return;
      options.tokens
        .revoke((token) => isOf(token, { app: id }))
        .catch((error: unknown) => options.warn(`the deploy tokens of ${id} could not be revoked: ${String(error)}`));
    });
  }

  /** The tokens of an account or of an app, the newest first; those that have ended too, unless a CI job had them. */
  list(of: Token['of']): Token[] {
    return this.#options.tokens
      .list()
      .filter((token) => isOf(token, of) && (token.ci === undefined || this.isActive(token)));
  }

  /** True while a token works. */
  isActive(token: Token): boolean {
    return isActive(token, this.#now());
  }

  /**
   * Makes a token of an account.
   * @param apps the apps that it is for; undefined = all
   * @throws Refusal `token-name-invalid`, `tokens-too-many`
   */
  async make(
    account: string,
    input: { name: string; scope: Scope; apps?: readonly string[] | undefined; days?: number | undefined },
  ): Promise<NewToken> {
    return this.#options.tokens.make({
      name: parseTokenName(input.name),
      of: { account },
      scope: input.scope,
      ...(input.apps === undefined ? {} : { apps: [...input.apps] }),
      expiresAt: this.#end(input.days),
    });
  }

  /** Makes a token with which a program deploys an app. @throws Refusal `app-not-found`, `token-name-invalid`, `tokens-too-many` */
  async makeForApp(app: string, input: { name: string; days?: number | undefined }): Promise<NewToken> {
    const { id } = this.#options.store.get(app);
    const facts = { of: { app: id }, scope: 'deploy', apps: [id] } as const;
    return this.#options.tokens.make({
      name: parseTokenName(input.name),
      ...facts,
      apps: [...facts.apps],
      expiresAt: this.#end(input.days),
    });
  }

  /**
   * Makes a token for a CI job that a rule of an app trusts.
   * @param name of the job, as records show it
   * @throws Refusal `ci-token-used`, `ci-jobs-too-many`
   */
  async makeForCi(app: string, name: string, ci: NonNullable<Token['ci']>): Promise<NewToken> {
    const facts = { of: { app }, scope: 'deploy', apps: [app] } as const;
    const expiresAt = this.#now() + CI_TOKEN_MS;
    return this.#options.tokens.make({ name, ...facts, apps: [app], expiresAt, ci });
  }

  /** Ends a token of an account or of an app. @throws Refusal `token-not-found` */
  async revoke(of: Token['of'], id: string): Promise<void> {
    if (!this.list(of).some((token) => token.id === id))
      throw new Refusal('not-found', 'token-not-found', `There is no token "${id}".`);
    await this.#options.tokens.revoke((token) => token.id === id);
  }

  /**
   * Who a token speaks for; undefined where it is not one of ours. The holder of one that no longer works is told why.
   * @throws Refusal `token-ended`
   */
  check(secret: string): Principal | undefined {
    if (!looksLikeToken(secret)) return undefined;
    const token = this.#options.tokens.find(secret);
    if (token === undefined) return undefined;
    const { of, scope, apps, name } = token;
    const ended = (why: string): Refusal =>
      new Refusal('unauthorised', 'token-ended', `The token "${name}" ${why}. Create a new one.`);
    if (token.revokedAt !== undefined) throw ended('was revoked');
    if (!this.isActive(token)) throw ended(`expired on ${new Date(token.expiresAt).toISOString().slice(0, 10)}`);
    const limits = { scope, apps };
    if ('app' in of) {
      const app = this.#options.store.find(of.app);
      if (app === undefined) throw ended('belongs to an app that was deleted');
      if (token.ci !== undefined) this.#demandRule(app.ciRules, token.ci.rule, ended);
      this.#options.tokens.used(token);
      const title = token.ci === undefined ? `${name} (deploy token)` : name;
      return { kind: 'token', name: title, deploys: of.app, limits };
    }
    const person = this.#options.people.principal(of.account);
    if (person === undefined) throw ended('belongs to an account that is disabled');
    this.#options.tokens.used(token);
    return { ...person, kind: 'token', limits };
  }

  /** A CI job's token lives no longer than the trust in the job. @throws Refusal `token-ended` */
  #demandRule(rules: readonly CiRule[] = [], id: string, ended: (why: string) => Refusal): void {
    const rule = rules.find((one) => one.id === id);
    if (rule === undefined) throw ended('came by a CI rule that was removed');
    if (rule.account !== undefined && this.#options.people.principal(rule.account) === undefined)
      throw ended('came by a CI rule of an account that is disabled');
  }

  #end(days: number = DAYS.usual): number {
    return this.#now() + Math.min(days, DAYS.most) * 24 * 3_600_000;
  }
}

function isOf(token: Token, of: Token['of']): boolean {
  if ('account' in of) return 'account' in token.of && token.of.account === of.account;
  return 'app' in token.of && token.of.app === of.app;
}
