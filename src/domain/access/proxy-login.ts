import { Refusal } from '../../errors.js';
import { emailOf } from './email.js';
import { groupsOf, type Claims } from './provider-login.js';
import { readLoginRules, type LoginRules } from './provider.js';

/** The provider of the sessions that a proxy's headers begin. No provider of OpenID Connect can be called that. */
export const TRUSTED_PROXY = 'trusted-proxy';

/** The header with which the proxy proves that a request comes from it. */
export const SECRET_HEADER = 'x-streamlit-host-secret';

/** Logs people in whom a proxy in front has logged in already, as its headers say. */
export interface ProxyLogin extends LoginRules {
  /** The names of the headers, in lower case; undefined where the proxy sends none. */
  headers: { email: string; name: string | undefined; groups: string | undefined };
  /** What the proxy must send as `SECRET_HEADER`; undefined for nothing. */
  secret: string | undefined;
  /** Where people log out of the proxy; undefined where there is no such page. */
  logoutUrl: string | undefined;
}

/** Headers that say something else: the message, its visitor and its way. */
const TAKEN =
  /^(host|cookie|authorization|connection|upgrade|origin|referer|user-agent|forwarded|x-forwarded-(for|host|proto)|(accept|content|sec|x-streamlit-host)(-.*)?)$/;

/**
 * Reads the login by a proxy's headers from the settings `PROXY_LOGIN_…`.
 * @param read the value of a setting, by its name without the prefix of all settings; undefined where it is not set
 * @param proxies.any whether a trusted proxy is named
 * @param proxies.local whether one of them has an address of this machine, from which apps can connect, too
 * @returns undefined where it is off, and what is wrong with the settings, one sentence each
 */
export function readProxyLogin(
  read: (name: string) => string | undefined,
  proxies: { any: boolean; local: boolean },
): { login: ProxyLogin | undefined; mistakes: string[] } {
  const setting = (name: string): string => `STREAMLIT_HOST_PROXY_LOGIN_${name}`;
  const own = (name: string): string | undefined => read(`PROXY_LOGIN_${name}`);
  const header = (name: string): string | undefined => own(name)?.toLowerCase();
  const email = header('EMAIL_HEADER');
  if (email === undefined) return { login: undefined, mistakes: [] };
  const headers = { email, name: header('NAME_HEADER'), groups: header('GROUPS_HEADER') };
  const { rules, needsGroups, mistakes } = readLoginRules(own, 'PROXY_LOGIN_');
  for (const [kind, name] of Object.entries(headers))
    if (name !== undefined && (!/^[\w-]+$/.test(name) || TAKEN.test(name)))
      mistakes.push(
        `${setting(`${kind.toUpperCase()}_HEADER`)} cannot be ${name}. Name a header such as X-Forwarded-Email.`,
      );
  if (needsGroups && headers.groups === undefined)
    mistakes.push(`${setting('GROUPS_HEADER')} must be set to use ${setting('GROUPS')} or ${setting('ADMIN_GROUP')}.`);
  const secret = own('SECRET');
  if (secret !== undefined && secret !== 'none' && !/^[\x21-\x7e]{16,256}$/.test(secret))
    mistakes.push(`${setting('SECRET')} must be "none" or 16 to 256 printable characters without spaces.`);
  const logoutUrl = own('LOGOUT_URL');
  if (logoutUrl !== undefined && !/^(https?:\/\/|\/(?!\/))[\x21-\x7e]+$/.test(logoutUrl))
    mistakes.push(`${setting('LOGOUT_URL')} must be a URL, or a path such as /oauth2/sign_out.`);
  if (!proxies.any)
    mistakes.push(
      `${setting('EMAIL_HEADER')} needs STREAMLIT_HOST_TRUSTED_PROXIES, the addresses of the proxies that may send it.`,
    );
  else if (proxies.local && secret === undefined)
    mistakes.push(
      `${setting('SECRET')} must be set, because apps can connect from an address in STREAMLIT_HOST_TRUSTED_PROXIES. Let the proxy send it as X-Streamlit-Host-Secret.`,
    );
  if (mistakes.length > 0) return { login: undefined, mistakes };
  return {
    mistakes,
    login: {
      ...rules,
      ...{ name: own('NAME') ?? 'single sign-on', headers, logoutUrl, trustsEmail: true },
      secret: secret === 'none' ? undefined : secret,
    },
  };
}

/**
 * Returns whom a request's headers name; undefined where they name nobody.
 * @param raw the names and values of the headers in turn, as they came: of some, Node joins several to one
 * @throws Refusal `proxy-headers-invalid`
 */
export function personIn(raw: readonly string[], { headers }: Pick<ProxyLogin, 'headers'>): Claims | undefined {
  const said = onlyValue(raw, headers.email);
  if (said === undefined || said === '') return undefined;
  const email = emailOf(said);
  if (email === undefined) throw invalid(headers.email);
  const groups = headers.groups === undefined ? undefined : (onlyValue(raw, headers.groups) ?? '');
  if (groups !== undefined && !/^[\x20-\x7e]*$/.test(groups)) throw invalid(headers.groups ?? '');
  return {
    // The email address alone names the person.
    ...{ issuer: TRUSTED_PROXY, subject: undefined, email, emailVerified: undefined },
    name: headers.name === undefined ? undefined : utf8(onlyValue(raw, headers.name) ?? ''),
    // Proxies separate them by commas, semicolons or bars.
    groups: groups === undefined ? undefined : groupsOf(groups.split(/[,;|]/)),
  };
}

/** @throws Refusal where a header came twice: one of them may be the visitor's own */
export function onlyValue(raw: readonly string[], name: string): string | undefined {
  const places = raw.flatMap((text, place) => (place % 2 === 0 && text.toLowerCase() === name ? place : []));
  const [place, ...more] = places;
  if (more.length > 0) throw invalid(name);
  return place === undefined ? undefined : raw[place + 1]?.trim();
}

/** @param name of the header, in lower case */
export function invalid(name: string): Refusal {
  const title = name.replace(/(^|-)[a-z]/g, (letter) => letter.toUpperCase());
  const sentence = `The proxy in front of this server sent no valid ${title} header. Ask an admin of this server.`;
  return new Refusal('forbidden', 'proxy-headers-invalid', sentence);
}

/** A name, as most proxies send it. Node reads headers as Latin-1. */
function utf8(text: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(text, 'latin1'));
  } catch {
    return ''; // It is not UTF-8: nobody is called by letters that we guess.
  }
}
