import type { Attempts } from '../domain/access/attempts.js';
import {
  closestMiss,
  jobName,
  missedBy,
  parseCiRule,
  traitOf,
  type CiIssuer,
  type NewCiRule,
} from '../domain/access/ci.js';
import { MAX_CI_RULES, type CiRule } from '../domain/access/ci-rule.js';
import type { Principal } from '../domain/access/principal.js';
import { printable } from '../domain/app/app.js';
import { Refusal } from '../errors.js';
import { newEntryId } from '../lib/entry-id.js';
import type { AppStore } from '../store/apps.js';
import { demandOwnRoles } from './access.js';
import type { Audit } from './audit.js';
import type { CiIssuers, CiProof } from './ci-issuers.js';
import type { People } from './people.js';
import type { AccessTokens, NewToken } from './tokens.js';

export interface TrustedCiOptions {
  store: Pick<AppStore, 'get' | 'find' | 'update'>;
  issuers: Pick<CiIssuers, 'list' | 'check'>;
  tokens: Pick<AccessTokens, 'makeForCi'>;
  people: Pick<People, 'principal'>;
  /** Slows down guessing. */
  attempts: Pick<Attempts, 'count'>;
  audit: Pick<Audit, 'write'>;
  /** Whom ID tokens must be for. */
  publicBase: () => string;
  now?: () => number;
}

/** Gives CI jobs short-lived deploy tokens for their ID tokens, by the rules of the app that they deploy. */
export class TrustedCi {
  readonly #options: TrustedCiOptions;

  constructor(options: TrustedCiOptions) {
    this.#options = options;
  }

  /** The CI services that rules can name. */
  issuers(): readonly CiIssuer[] {
    return this.#options.issuers.list();
  }

  /** What jobs must request their ID tokens for. */
  audience(): string {
    return this.#options.publicBase();
  }

  /** The rules of an app, the newest first. @throws Refusal `app-not-found` */
  rules(app: string): CiRule[] {
    return (this.#options.store.get(app).ciRules ?? []).toReversed();
  }

  /** What people call the issuer of a rule; its URL where the server trusts it no longer. */
  issuerName({ issuer }: CiRule): string {
    return this.issuers().find(({ url }) => url === issuer)?.name ?? issuer;
  }

  /**
   * Trusts the jobs of a repository.
   * @throws Refusal `app-not-found`, `preview-roles`, `ci-issuer-unknown`, `ci-rule-invalid`, `ci-rules-too-many`
   */
  async add(app: string, input: NewCiRule, by: Principal): Promise<CiRule> {
    const facts = parseCiRule(input, this.issuers());
    const account = by.account === undefined ? {} : { account: by.account };
    const createdAt = (this.#options.now ?? Date.now)();
    const rule: CiRule = { id: newEntryId(), ...facts, by: by.name, ...account, createdAt };
    await this.#options.store.update(app, (before) => {
      demandOwnRoles(before);
      const rules = before.ciRules ?? [];
      if (rules.length < MAX_CI_RULES) return { ...before, ciRules: [...rules, rule] };
      const sentence = `${app} has ${MAX_CI_RULES} CI rules. Remove some first.`;
      throw new Refusal('conflict', 'ci-rules-too-many', sentence);
    });
    return rule;
  }

  /** Trusts them no longer; the tokens that they got end at once. @throws Refusal `app-not-found`, `ci-rule-not-found` */
  async remove(app: string, id: string): Promise<void> {
    await this.#options.store.update(app, (before) => {
      const left = (before.ciRules ?? []).filter((one) => one.id !== id);
      if (left.length !== before.ciRules?.length) return { ...before, ciRules: left };
      throw new Refusal('not-found', 'ci-rule-not-found', `There is no CI rule "${printable(id)}".`);
    });
  }

  /**
   * Gives a job a deploy token for its ID token, once.
   * @param from the address that it comes from
   * @throws Refusal `ci-token-invalid`, `ci-token-expired`, `ci-issuer-unreachable`, `ci-audience-wrong`, `ci-not-trusted`,
   *   `ci-job-not-trusted`, `ci-token-used`, `ci-jobs-too-many`, `record-unreadable`, TooManyAttempts
   */
  async exchange({ token, app, from }: { token: string; app: string; from: string }): Promise<NewToken> {
    const { issuers, attempts, audit } = this.#options;
    let proof: CiProof | undefined;
    try {
      proof = await issuers.check(token);
      const made = await this.#make(app, proof);
      audit.write({ ...told(app, from, proof), who: made.token.name, result: 'ok' });
      return made;
    } catch (error) {
      const code = error instanceof Refusal ? error.code : undefined;
      // As nobody's: of all that are refused, no more are written than of other wrong tokens.
      const result = code === undefined ? 'failed' : 'refused';
      audit.write({ ...told(app, from, proof), who: 'nobody', result, ...(code === undefined ? {} : { code }) });
      // The right token always passes: many jobs share their addresses with everybody else's.
      if (error instanceof Refusal && error.kind !== 'unavailable') attempts.count(from);
      throw error;
    }
  }

  async #make(app: string, proof: CiProof): Promise<NewToken> {
    this.#demandAudience(proof);
    const rule = await this.#pin(app, this.#demandTrust(app, proof), proof);
    const ci = { rule: rule.id, proof: proof.hash, proofUntil: proof.until };
    return this.#options.tokens.makeForCi(app, jobName(proof.issuer, proof.job), ci);
  }

  /** Another service that a job shows such a token must not be able to deploy with it. */
  #demandAudience({ audiences }: CiProof): void {
    const wanted = this.audience();
    if (audiences.length === 1 && audiences[0] === wanted) return;
    const sentence = `This ID token is for another audience. Request one for ${wanted}.`;
    throw new Refusal('forbidden', 'ci-audience-wrong', sentence);
  }

  /**
   * The rule that trusts a job. Everybody can have a repository there: only the jobs of one that the app trusts learn more than
   * that theirs is not, which they are told in the same words of an app that does not exist.
   */
  #demandTrust(app: string, { issuer, job }: CiProof): CiRule {
    const { store, people } = this.#options;
    const rules = (store.find(app)?.ciRules ?? [])
      .filter((one) => one.issuer === issuer.url)
      .filter(({ account }) => account === undefined || people.principal(account) !== undefined);
    const found = rules.find((one) => missedBy(one, job) === undefined);
    if (found !== undefined) return found;
    const miss = closestMiss(rules, job);
    if (miss === 'repository' || miss === 'repository id') {
      const sentence = `${printable(job.repository)} may not deploy "${printable(app)}". An owner of that app can add a rule for it on the app's Access page.`;
      throw new Refusal('forbidden', 'ci-not-trusted', sentence);
    }
    const sentence = `No CI rule of ${app} fits this job, whose ${miss} is ${traitOf(job, miss)}. Run it on another one, or ask an owner of the app to add a rule.`;
    throw new Refusal('forbidden', 'ci-job-not-trusted', sentence);
  }

  /** From the first job on, a rule is for the repository with this id, whatever others are called later. */
  async #pin(app: string, { id }: CiRule, proof: CiProof): Promise<CiRule> {
    const { repositoryId } = proof.job;
    await this.#options.store.update(app, (before) => {
      const rules = before.ciRules ?? [];
      if (!rules.some((one) => one.id === id && one.repositoryId === undefined)) return before;
      return { ...before, ciRules: rules.map((one) => (one.id === id ? { repositoryId, ...one } : one)) };
    });
    // It may have been removed, or pinned to another one, in the meantime.
    return this.#demandTrust(app, proof);
  }
}

/** What the audit log says of an exchange, whatever came of it. */
function told(app: string, from: string, proof: CiProof | undefined) {
  const about = proof === undefined ? {} : { about: `${jobName(proof.issuer, proof.job)} run ${proof.job.run}` };
  return { door: 'api', from, verb: 'login', what: 'exchange an ID token', app: printable(app), ...about } as const;
}
