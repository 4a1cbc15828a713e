import { timingSafeEqual } from 'node:crypto';
import { Secret, TOTP } from 'otpauth';

/** How long (s) a code is shown: what every app for codes assumes (https://www.rfc-editor.org/rfc/rfc6238#section-5.2). */
const STEP_S = 30;

/** How many steps a clock may be off. */
const DRIFT = 1;

/** How many bytes a key has: as many as the hash (https://www.rfc-editor.org/rfc/rfc4226#section-4). */
const KEY_BYTES = 20;

/** Makes a key, in base32 as people type it. */
export function newTotpKey(): string {
  return new Secret({ size: KEY_BYTES }).base32;
}

/** The URI of a key, which a QR code shows to an app for codes. @param issuer the server, as the app calls it */
export function totpUri(key: string, issuer: string, email: string): string {
  return totpOf(key, { issuer, label: email }).toString();
}

/**
 * Returns the step of time that a code belongs to, if it is one of the few that count now. All of them are compared.
 * @param now ms since 1970
 */
export function totpStep(key: string, code: string, now: number): number | undefined {
  const totp = totpOf(key);
  const given = Buffer.alloc(totp.digits);
  given.write(code.length === totp.digits ? code : '', 'latin1');
  let found: number | undefined;
  for (let drift = -DRIFT; drift <= DRIFT; drift += 1) {
    const step = Math.floor(now / 1_000 / STEP_S) + drift;
    const right = Buffer.from(totp.generate({ timestamp: step * STEP_S * 1_000 }), 'latin1');
    if (timingSafeEqual(given, right)) found = step;
  }
  return found;
}

/** The code of a key at a time, as an app for codes shows it. @param now ms since 1970 */
export function totpCode(key: string, now: number): string {
  return totpOf(key).generate({ timestamp: now });
}

function totpOf(key: string, names: { issuer?: string; label?: string } = {}): TOTP {
  return new TOTP({ ...names, secret: Secret.fromBase32(key), algorithm: 'SHA1', digits: 6, period: STEP_S });
}
