import { parseUrl } from '../../lib/parse-url.js';
import { isLoopback } from './origins.js';

/** Whom somebody else's word may log in: a provider's, or that of a proxy in front. */
export interface LoginRules {
  /** What people call what logs them in. */
  name: string;
  /** Who may log in: people with an email address in one of these domains, and in one of these groups; empty = everyone. */
  domains: readonly string[];
  groups: readonly string[];
  /** The group whose members are admins; undefined = admins choose the admins. */
  adminGroup: string | undefined;
  /** True where a first login creates an account; otherwise a person must be invited. */
  creates: boolean;
  /** True where addresses count that are not called verified. */
  trustsEmail: boolean;
}

/** Where people log in with the account of their company: a provider of OpenID Connect. */
export interface Provider extends LoginRules {
  /** In URLs and in the names of its settings, in lower case. */
  id: string;
  issuer: string;
  clientId: string;
  /** undefined for a public client. */
  clientSecret: string | undefined;
  /** What is asked for, separated by spaces. */
  scopes: string;
  /** The claim with a person's groups; undefined = admins choose the groups. */
  groupsClaim: string | undefined;
}

const ID = /^[a-z][a-z0-9]{0,19}$/;

/**
 * Reads the providers from the settings: one under `OIDC_…`, or several that `OIDC_PROVIDERS` names, each under `OIDC_<ID>_…`.
 * @param read the value of a setting, by its name without the prefix of all settings; undefined where it is not set
 * @returns the providers, and what is wrong with the settings, one sentence each
 */
export function readProviders(read: (name: string) => string | undefined): {
  providers: Provider[];
  mistakes: string[];
} {
  const mistakes: string[] = [];
  const several = words(read('OIDC_PROVIDERS'));
  const wrong = several.filter((id) => !ID.test(id));
  if (wrong.length > 0)
    mistakes.push(
      `Each entry of STREAMLIT_HOST_OIDC_PROVIDERS must be a short name of letters and digits, such as company (found ${wrong.join(', ')}).`,
    );
  const one = read('OIDC_ISSUER') === undefined ? [] : [{ id: 'oidc', prefix: 'OIDC_' }];
  if (several.length > 0 && one.length > 0)
    mistakes.push('STREAMLIT_HOST_OIDC_ISSUER cannot be used with STREAMLIT_HOST_OIDC_PROVIDERS.');
  const named = [...new Set(several)]
    .filter((id) => ID.test(id))
    .map((id) => ({ id, prefix: `OIDC_${id.toUpperCase()}_` }));
  const providers = (named.length > 0 ? named : one).flatMap(({ id, prefix }) => {
    const found = readProvider(id, (name) => read(prefix + name));
    mistakes.push(...found.mistakes.map((sentence) => sentence.replaceAll('OIDC_*_', prefix)));
    return found.provider ?? [];
  });
  return { providers, mistakes };
}

/** The URL of an issuer; undefined where it is none that can be trusted: plain HTTP is for this machine alone. */
export function parseIssuer(text: string): URL | undefined {
  const issuer = parseUrl(text);
  const secure = issuer?.protocol === 'https:' || (issuer?.protocol === 'http:' && isLoopback(issuer.hostname));
  if (issuer === undefined || !secure || issuer.username !== '' || issuer.search !== '' || issuer.hash !== '')
    return undefined;
  return issuer;
}

/** The settings are called `OIDC_*_…` in what is wrong. */
function readProvider(
  id: string,
  read: (name: string) => string | undefined,
): { provider: Provider | undefined; mistakes: string[] } {
  const mistakes: string[] = [];
  const setting = (name: string): string => `STREAMLIT_HOST_OIDC_*_${name}`;
  const text = read('ISSUER') ?? '';
  const issuer = parseIssuer(text);
  if (issuer === undefined)
    mistakes.push(`${setting('ISSUER')} must be an https URL, such as https://login.example.com.`);
  const clientId = read('CLIENT_ID');
  if (clientId === undefined) mistakes.push(`${setting('CLIENT_ID')} must be set.`);
  const rules = readLoginRules(read, 'OIDC_*_');
  mistakes.push(...rules.mistakes);
  const emails = read('EMAILS') ?? 'verified';
  if (emails !== 'verified' && emails !== 'trusted')
    mistakes.push(`${setting('EMAILS')} must be verified or trusted (found ${emails}).`);
  if (issuer === undefined || clientId === undefined || mistakes.length > 0) return { provider: undefined, mistakes };
  return {
    mistakes,
    provider: {
      id,
      name: read('NAME') ?? issuer.hostname,
      // Unchanged: providers compare it letter by letter.
      issuer: text,
      clientId,
      clientSecret: read('CLIENT_SECRET'),
      scopes: read('SCOPES') ?? 'openid profile email',
      groupsClaim: read('GROUPS_CLAIM') ?? (rules.needsGroups ? 'groups' : undefined),
      ...rules.rules,
      trustsEmail: emails === 'trusted',
    },
  };
}

/**
 * Reads whom a login may be for.
 * @param read the value of a setting, by its name without the prefix
 * @param prefix of the settings, for what is wrong with them
 */
export function readLoginRules(
  read: (name: string) => string | undefined,
  prefix: string,
): { rules: Omit<LoginRules, 'name' | 'trustsEmail'>; needsGroups: boolean; mistakes: string[] } {
  const accounts = read('ACCOUNTS') ?? 'create';
  const groups = words(read('GROUPS'));
  const adminGroup = read('ADMIN_GROUP')?.toLowerCase();
  const right = accounts === 'create' || accounts === 'invited';
  return {
    rules: {
      domains: words(read('DOMAINS')).map((domain) => domain.replace(/^@/, '')),
      groups,
      adminGroup,
      creates: accounts === 'create',
    },
    needsGroups: groups.length > 0 || adminGroup !== undefined,
    mistakes: right ? [] : [`STREAMLIT_HOST_${prefix}ACCOUNTS must be create or invited (found ${accounts}).`],
  };
}

/** Words separated by commas, in lower case. */
function words(text = ''): string[] {
  return text
    .split(',')
    .map((word) => word.trim().toLowerCase())
    .filter((word) => word !== '');
}
