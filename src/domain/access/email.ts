import { Refusal } from '../../errors.js';

/** As browsers check it (https://html.spec.whatwg.org/multipage/input.html#valid-e-mail-address). */
const EMAIL =
  /^[a-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*$/;

/** The longest one that mail can be sent to (https://www.rfc-editor.org/rfc/rfc5321#section-4.5.3.1.3). */
const MAX_LENGTH = 254;

/** Returns an e-mail address in lower case, which is how two are compared; undefined where the text is not one. */
export function emailOf(text: string): string | undefined {
  const email = text.trim().toLowerCase();
  return email.length <= MAX_LENGTH && EMAIL.test(email) ? email : undefined;
}

/** Returns an e-mail address in lower case. @throws Refusal `email-invalid` */
export function parseEmail(text: string): string {
  const email = emailOf(text);
  if (email !== undefined) return email;
  throw new Refusal('invalid', 'email-invalid', 'Enter an email address, such as ada@example.com.', { field: 'email' });
}
