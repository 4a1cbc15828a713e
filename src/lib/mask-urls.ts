/** Replaces what is hidden. */
export const MASK = '••••';

/** Names of parameters in URLs whose values open something, wherever they stand in the name. */
const SECRET_PARAMETER =
  /([?&;](?:[\w.-]{0,40}(?:token|secret|password|passwd|signature|credential)|(?:x-)?(?:api|access|auth)?[_-]?key|sig|auth|pat)=)[^\s&;#'"<>]*[^\s&;#'"<>.,)`]/gi;

/**
 * Hides who and with which password in the URLs of a text: `https://user:pass@host` becomes `https://••••@host`, and
 * `?token=abc` becomes `?token=••••`. A name alone stays where it is none of a secret (`ssh://git@host`), but not in
 * http, where tokens stand in its place.
 */
export function maskUrls(text: string): string {
  if (!text.includes('//')) return text;
  return (
    text
      .replace(/([a-z][a-z0-9+.-]{0,20}:\/\/)([^\s/?#'"<>]+)@/gi, (whole, scheme: string, user: string) =>
        user.includes(':') || /https?:\/\/$/i.test(scheme) ? `${scheme}${MASK}@` : whole,
      )
      // A password that nobody has encoded.
      .replace(/([a-z][a-z0-9+.-]{0,20}:\/\/)[^\s/?#:@'"<>]{1,200}:(?!\d{1,5}[/?#])[^\s'"<>]{1,500}@/gi, `$1${MASK}@`)
      .replace(SECRET_PARAMETER, `$1${MASK}`)
  );
}
