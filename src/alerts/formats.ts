import { createHmac } from 'node:crypto';
import type { Posted } from '../lib/reach.js';
import type { Message } from './message.js';

/** The kinds of destinations that get an HTTP request. */
export const httpKinds = ['webhook', 'slack', 'teams', 'discord', 'feishu', 'dingtalk', 'ntfy'] as const;
export const kinds = ['email', ...httpKinds] as const;

export type Kind = (typeof kinds)[number];
export type HttpKind = (typeof httpKinds)[number];

/** What of a destination a request is made from. */
export interface Target {
  kind: HttpKind;
  address: string;
  secret?: string | undefined;
}

/** Writes a message as a destination reads it. @param now ms since 1970 */
export function requestOf({ kind, address, secret }: Target, message: Message, now: number): Posted {
  const text = `${message.title}\n${bodyOf(message)}`;
  switch (kind) {
    case 'webhook':
      return webhook(address, secret ?? '', message, now);
    // https://docs.slack.dev/messaging/formatting-message-text: these three characters alone are its own.
    case 'slack':
      return json(address, { text: escape(text, { '&': '&amp;', '<': '&lt;', '>': '&gt;' }) });
    case 'teams':
      return json(address, teamsCard(message));
    // At most 2,000 characters, and nobody is mentioned (https://discord.com/developers/docs/resources/webhook).
    case 'discord':
      return json(address, { content: cut(text, 2_000), allowed_mentions: { parse: [] } });
    case 'feishu':
      return json(address, { ...feishuSign(secret, now), msg_type: 'text', content: { text } });
    case 'dingtalk':
      return json(dingtalkUrl(address, secret, now), { msgtype: 'text', text: { content: text } });
    case 'ntfy':
      return ntfy(address, secret, message);
  }
}

/** Why an answer says that the message was not taken; undefined where it was. Some services refuse with status 200. */
export function refusedBy(kind: HttpKind, status: number, body: string): string | undefined {
  if (status < 200 || status > 299) return `It answered with status ${status}.`;
  const field = kind === 'feishu' ? 'code' : kind === 'dingtalk' ? 'errcode' : undefined;
  if (field === undefined) return undefined;
  const code = numberIn(body, field);
  return code === undefined || code === 0 ? undefined : `It refused the message with code ${code}.`;
}

/** The lines of a message as plain text. */
export function bodyOf({ lines, url }: Pick<Message, 'lines' | 'url'>): string {
  return [...lines, url].join('\n');
}

/** Signed by https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md. */
function webhook(url: string, secret: string, message: Message, now: number): Posted {
  const { id, title, changes } = message;
  const body = JSON.stringify({
    type: 'alerts',
    timestamp: new Date(now).toISOString(),
    data: {
      title,
      url: message.url,
      alerts: changes.map(({ kind, rule, of, text, at }) => ({
        ...{ kind, rule, text },
        app: of.startsWith(':') ? null : of,
        at: new Date(at).toISOString(),
      })),
    },
  });
  const timestamp = String(Math.floor(now / 1_000));
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64');
  const signature = createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64');
  const headers = { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': `v1,${signature}` };
  return { url, headers: { 'content-type': 'application/json', ...headers }, body };
}

/** An adaptive card, which is all that the workflows of Teams take. */
function teamsCard({ title, lines, url, bad }: Message): object {
  const plain = (text: string): string => text.replace(/[\\`*_[\]()#]/g, '\\$&');
  const block = (text: string, more: object = {}): object => ({
    type: 'TextBlock',
    text: plain(text),
    wrap: true,
    ...more,
  });
  return {
    type: 'message',
    attachments: [
      {
        contentType: 'application/vnd.microsoft.card.adaptive',
        contentUrl: null,
        content: {
          $schema: 'http://adaptivecards.io/schemas/adaptive-card.json',
          type: 'AdaptiveCard',
          version: '1.2',
          body: [
            block(title, { weight: 'Bolder', size: 'Medium', color: bad ? 'Attention' : 'Good' }),
            ...lines.map((line) => block(line)),
          ],
          actions: [{ type: 'Action.OpenUrl', title: 'Open console', url }],
        },
      },
    ],
  };
}

/** The key of the HMAC is what is signed, and its message is empty. */
function feishuSign(secret: string | undefined, now: number): object {
  if (secret === undefined || secret === '') return {};
  const timestamp = String(Math.floor(now / 1_000));
  return { timestamp, sign: createHmac('sha256', `${timestamp}\n${secret}`).update('').digest('base64') };
}

function dingtalkUrl(address: string, secret: string | undefined, now: number): string {
  if (secret === undefined || secret === '') return address;
  const url = new URL(address);
  url.searchParams.set('timestamp', String(now));
  url.searchParams.set('sign', createHmac('sha256', secret).update(`${now}\n${secret}`).digest('base64'));
  return url.href;
}

/** JSON goes to the server's root with the topic inside (https://docs.ntfy.sh/publish/#publish-as-json). */
function ntfy(address: string, token: string | undefined, message: Message): Posted {
  const url = new URL(address);
  const at = url.pathname.replace(/\/+$/, '').lastIndexOf('/');
  const topic = url.pathname.replace(/\/+$/, '').slice(at + 1);
  url.pathname = url.pathname.slice(0, at + 1);
  const posted = json(url.href, {
    topic,
    title: message.title,
    message: message.lines.join('\n'),
    priority: message.bad ? 4 : 3,
    tags: [message.bad ? 'warning' : 'white_check_mark'],
    click: message.url,
  });
  if (token !== undefined && token !== '') posted.headers.authorization = `Bearer ${token}`;
  return posted;
}

function json(url: string, value: object): Posted {
  return { url, headers: { 'content-type': 'application/json; charset=utf-8' }, body: JSON.stringify(value) };
}

function escape(text: string, by: Readonly<Record<string, string>>): string {
  return text.replace(/[&<>]/g, (character) => by[character] ?? character);
}

function cut(text: string, most: number): string {
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}

function numberIn(body: string, field: string): number | undefined {
  try {
    const value = (JSON.parse(body) as Record<string, unknown>)[field];
    return typeof value === 'number' ? value : undefined;
  } catch {
    return undefined; // Not JSON: the status has to do.
  }
}
