import { bodyOf } from './formats.js';
import type { Message } from './message.js';
import { Unreached } from '../lib/reach.js';

/** How long (ms) a mail server may be silent. */
const LIMIT_MS = 10_000;

/** The mail server, as the operator set it. */
export interface MailSettings {
  /** `smtp://` or `smtps://`, with user name and password where it asks for them. */
  url: string;
  from: string;
}

/** Sends a message to an email address. @throws Unreached */
export async function mail({ url, from }: MailSettings, to: string, message: Message): Promise<void> {
  const { createTransport } = await import('nodemailer');
  const transport = createTransport({
    url,
    connectionTimeout: LIMIT_MS,
    greetingTimeout: LIMIT_MS,
    socketTimeout: LIMIT_MS,
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  try {
    await transport.sendMail({
      from,
      to: { name: '', address: to },
      subject: message.title,
      text: `${bodyOf(message)}\n`,
      // The same for every try, so that a mail server can tell a repeated one.
      messageId: `<${message.id}@${hostOf(from)}>`,
      headers: { 'Auto-Submitted': 'auto-generated' },
    });
  } catch (error) {
    const code =
      typeof error === 'object' && error !== null && 'responseCode' in error ? error.responseCode : undefined;
    // What else it says may name the operator's machines, and owners of apps read this.
    throw new Unreached(
      typeof code === 'number' ? `The mail server refused it with code ${code}.` : 'The mail server cannot be reached.',
    );
  } finally {
    transport.close();
  }
}

function hostOf(from: string): string {
  return /@([\w.-]+)/.exec(from)?.[1] ?? 'streamlit-host';
}
