import { createHash, randomBytes } from 'node:crypto';

/** How many codes somebody gets. */
const COUNT = 10;

/** Letters and digits that nobody takes for another one when they copy them from paper. */
const ALPHABET = '23456789abcdefghjkmnpqrstuvwxyz';

/** Characters of a code: about 79 bits, too many to be guessed, also from its hash. */
const LENGTH = 16;

/** Makes codes that each stand in for the second factor once, such as `7k3m-x9qa-2hpd-vw4t`. */
export function newRecoveryCodes(): string[] {
  return Array.from({ length: COUNT }, () => newCode());
}

/** The hash of a code, however it was typed. */
export function recoveryHash(code: string): string {
  const plain = code.toLowerCase().replace(/[\s-]+/g, '');
  return createHash('sha256').update(plain).digest('hex');
}

/** Returns whether a text has as many characters as such a code. */
export function looksLikeRecoveryCode(text: string): boolean {
  return text.replace(/[\s-]+/g, '').length === LENGTH;
}

function newCode(): string {
  let code = '';
  while (code.length < LENGTH)
    // A byte beyond the last whole run of the alphabet would make its first letters likelier.
    for (const byte of randomBytes(LENGTH))
      if (byte < 256 - (256 % ALPHABET.length)) code += ALPHABET.charAt(byte % ALPHABET.length);
  return (code.slice(0, LENGTH).match(/.{4}/g) ?? []).join('-');
}
