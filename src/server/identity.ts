import { ensureFolder } from '../lib/ensure-folder.js';
import { Attempts } from '../domain/access/attempts.js';
import { KnownBrowsers, PasswordAttempts } from '../domain/access/password-attempts.js';
import type { CheckToken } from '../domain/access/principal.js';
import { TRUSTED_PROXY } from '../domain/access/proxy-login.js';
import { factorsSchema } from '../domain/access/second-factor.js';
import { Rights } from '../domain/access/rights.js';
import { Access } from '../host/access.js';
import { Audit } from '../host/audit.js';
import { People } from '../host/people.js';
import { SecondFactors } from '../host/second-factors.js';
import { CiIssuers } from '../host/ci-issuers.js';
import { AccessTokens } from '../host/tokens.js';
import { TrustedCi } from '../host/trusted-ci.js';
import type { Logger } from '../logger.js';
import type { Config } from '../settings.js';
import type { AppStore } from '../store/apps.js';
import { AuditLog } from '../store/audit-log.js';
import { Credentials } from '../store/credentials.js';
import { Passwords } from '../store/passwords.js';
import type { Paths } from '../store/paths.js';
import { SealedList } from '../store/sealed-list.js';
import { Sessions } from '../store/sessions.js';
import { Tokens } from '../store/tokens.js';
import { Users } from '../store/users.js';
import type { Vault } from '../store/vault.js';

/** Who may come in, what they may do, and what is written down of it: the same for every door. */
export interface Identity {
  sessions: Sessions;
  people: People;
  factors: SecondFactors;
  /** Who may open which app. */
  appAccess: Access;
  rights: Rights;
  /** Slows down guessing. */
  attempts: Attempts;
  passwords: PasswordAttempts;
  /** The browsers that people have logged in with. */
  known: KnownBrowsers;
  tokens: AccessTokens;
  /** The CI jobs that deploy without a secret. */
  ci: TrustedCi;
  /** Returns whose token it is: the operator's, or an access token. */
  check: CheckToken;
  auditLog: AuditLog;
  audit: Audit;
  /** Resolves when it is on disk who has logged in, and which tokens were used. */
  written: () => Promise<void>;
}

/** Opens the accounts, the tokens, the sessions and the audit log of a data folder. */
export async function openIdentity(options: {
  config: Pick<Config, 'token' | 'membersCreate' | 'secondFactor' | 'proxyLogin' | 'ciIssuers'>;
  paths: Paths;
  store: AppStore;
  vault: Vault;
  /** The public URL of the platform. */
  publicBase: () => string;
  logger: Logger;
}): Promise<Identity> {
  const { config, paths, store, vault, publicBase, logger } = options;
  const warn = (text: string): void => logger.warn(text);
  const complain = (text: string): void => logger.error(text);
  const credentials = await Credentials.load(paths.adminToken, config.token);
  const { fingerprint } = credentials;
  // Nobody confirms those that a proxy began once its headers are not read any more.
  const keeps = (session: { provider?: string | undefined }): boolean =>
    session.provider !== TRUSTED_PROXY || config.proxyLogin !== undefined;
  const sessions = await Sessions.open(paths.sessions, { fingerprint, keeps, warn });
  const users = await Users.open(paths, complain);
  const passwords = new Passwords();
  const people = new People({ users, passwords, sessions });
  const list = new SealedList(vault, 'second-factors', factorsSchema);
  const factors = new SecondFactors({ list, people, sessions, required: config.secondFactor });
  const rights = new Rights(store, { membersCreate: config.membersCreate });
  const stored = await Tokens.open(paths, complain);
  const tokens = new AccessTokens({ people, store, tokens: stored, warn });
  const attempts = new Attempts();
  await tellOnce(paths, store, logger);
  const auditLog = await AuditLog.open(paths.audit, { warn: complain });
  const audit = new Audit({ log: auditLog, rights });
  const issuers = new CiIssuers({ issuers: config.ciIssuers, warn: (facts, text) => logger.warn(facts, text) });
  return {
    sessions,
    people,
    factors,
    appAccess: new Access({ store, users, passwords }),
    rights,
    attempts,
    passwords: new PasswordAttempts(attempts),
    known: new KnownBrowsers(credentials.browserKey),
    tokens,
    ci: new TrustedCi({ store, people, issuers, tokens, attempts, audit, publicBase }),
    check: (token) => credentials.check(token) ?? tokens.check(token),
    auditLog,
    audit,
    written: async () => {
      await sessions.written();
      await stored.written();
    },
  };
}

/** Says, at the first start with accounts, that nothing changes for the apps that are there: only then the audit log has no folder. */
async function tellOnce(paths: Paths, store: Pick<AppStore, 'list'>, logger: Logger): Promise<void> {
  // A disk that cannot be written to is reported by what needs it.
  const made = await ensureFolder(paths.audit, 0o700).catch(() => undefined);
  if (made === undefined || store.list().length === 0) return;
  logger.info(
    'This version has accounts. Existing apps stay public until you change that, on their Access pages or with "streamlit-host access <app>". The admin token and sessions work as before.',
  );
}
