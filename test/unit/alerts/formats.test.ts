import { createHmac } from 'node:crypto';
import { expect, it } from 'vitest';
import { httpKinds, refusedBy, requestOf, type HttpKind } from '../../../src/alerts/formats.js';
import { messageOf } from '../../../src/alerts/message.js';
import type { Change } from '../../../src/alerts/lane.js';

const NOW = 1_800_000_000_000;
const change = (of: string, text: string): Change => ({ kind: 'began', rule: 'down', of, text, at: NOW });
const facts = { nameOf: (of: string) => of, urlOf: (of?: string) => `https://h.example/console/${of ?? ''}` };
const message = messageOf('msg_1', [change('shop', 'It <crashed> & *burnt*.')], facts);
const body = (kind: HttpKind, secret?: string, address = 'https://hooks.example/x/topic'): Record<string, unknown> =>
  JSON.parse(requestOf({ kind, address, secret }, message, NOW).body) as Record<string, unknown>;

it('a webhook is signed as Standard Webhooks asks for', () => {
  const key = Buffer.from('a key of twenty-four bytes');
  const { headers, body: sent } = requestOf(
    { kind: 'webhook', address: 'https://x.example', secret: `whsec_${key.toString('base64')}` },
    message,
    NOW,
  );
  expect(headers['webhook-id']).toBe('msg_1');
  expect(headers['webhook-timestamp']).toBe('1800000000');
  const signed = createHmac('sha256', key).update(`msg_1.1800000000.${sent}`).digest('base64');
  expect(headers['webhook-signature']).toBe(`v1,${signed}`);
  expect(JSON.parse(sent)).toEqual({
    type: 'alerts',
    timestamp: '2027-01-15T08:00:00.000Z',
    data: {
      title: 'shop: App down',
      url: 'https://h.example/console/shop',
      alerts: [
        { kind: 'began', rule: 'down', text: 'It <crashed> & *burnt*.', app: 'shop', at: '2027-01-15T08:00:00.000Z' },
      ],
    },
  });
});

it('alerts beyond the lines of a message are counted', () => {
  const changes = Array.from({ length: 21 }, () => change('shop', 'x'));
  expect(messageOf('m', changes, facts).lines.at(-1)).toBe('And 1 more.');
  const { title, lines } = messageOf('m', changes, facts, 3);
  expect(lines).toHaveLength(21);
  expect(lines.at(-1)).toBe('And 4 more.');
  expect(title).toBe('shop: 24 alerts');
});

it('each service gets its own format', () => {
  const text = 'shop: App down\nshop: App down. It <crashed> & *burnt*.\nhttps://h.example/console/shop';
  expect(body('slack').text).toBe(text.replace('&', '&amp;').replace('<', '&lt;').replace('>', '&gt;'));
  expect(body('discord')).toEqual({ content: text, allowed_mentions: { parse: [] } });
  expect(body('feishu')).toEqual({ msg_type: 'text', content: { text } });
  expect(body('dingtalk')).toEqual({ msgtype: 'text', text: { content: text } });
  expect(body('ntfy')).toMatchObject({ topic: 'topic', title: 'shop: App down', priority: 4 });
  const card = JSON.stringify(body('teams'));
  expect(card).toContain('application/vnd.microsoft.card.adaptive');
  expect(card).toContain(JSON.stringify('shop: App down. It <crashed> & \\*burnt\\*.'));
});

it('secrets sign as each service asks for', () => {
  const sign = createHmac('sha256', '1800000000\nkey').update('').digest('base64');
  expect(body('feishu', 'key')).toMatchObject({ timestamp: '1800000000', sign });
  const { url } = requestOf({ kind: 'dingtalk', address: 'https://d.example/send?t=1', secret: 'key' }, message, NOW);
  const { searchParams } = new URL(url);
  expect(searchParams.get('t')).toBe('1');
  expect(searchParams.get('timestamp')).toBe(String(NOW));
  expect(searchParams.get('sign')).toBe(createHmac('sha256', 'key').update(`${NOW}\nkey`).digest('base64'));
  const ntfy = requestOf({ kind: 'ntfy', address: 'https://n.example/below/topic/', secret: 'tk' }, message, NOW);
  expect(ntfy.url).toBe('https://n.example/below/');
  expect(ntfy.headers.authorization).toBe('Bearer tk');
});

it('an answer with status 200 that refuses the message is not taken for a delivery', () => {
  expect(refusedBy('feishu', 200, '{"code":19021}')).toBe('It refused the message with code 19021.');
  expect(refusedBy('dingtalk', 200, '{"errcode":310000}')).toBe('It refused the message with code 310000.');
  for (const kind of httpKinds) {
    expect(refusedBy(kind, 200, '{"code":0,"errcode":0}')).toBeUndefined();
    expect(refusedBy(kind, 204, 'not json')).toBeUndefined();
    expect(refusedBy(kind, 302, '')).toBe('It answered with status 302.');
  }
});

it('a message of many changes is short, and says how many it leaves out', () => {
  const many = Array.from({ length: 30 }, (_, number) => change(`app-${number}`, 'x'.repeat(10_000)));
  const { title, lines, url } = messageOf('m', many, facts);
  expect(title).toBe('30 alerts');
  expect(lines).toHaveLength(21);
  expect(lines.at(-1)).toBe('And 10 more.');
  expect(Math.max(...lines.map((line) => line.length))).toBe(500);
  expect(url).toBe('https://h.example/console/');
  expect(
    String(
      (
        JSON.parse(
          requestOf({ kind: 'discord', address: 'https://d.example' }, messageOf('m', many, facts), NOW).body,
        ) as { content: string }
      ).content,
    ).length,
  ).toBe(2_000);
});

it('a name of several lines adds no header to a mail', () => {
  const { title } = messageOf('m', [change('a\r\nBcc: x@example.com', 'y')], facts);
  expect(title).toBe('a Bcc: x@example.com: App down');
});
