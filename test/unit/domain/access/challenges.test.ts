import { beforeEach, expect, test } from 'vitest';
import { CHALLENGE_MS, Challenges } from '../../../../src/domain/access/challenges.js';

let now: number;
let challenges: Challenges;

beforeEach(() => {
  now = 1_800_000_000_000;
  challenges = new Challenges(() => now);
});

test('a ticket has a challenge for each purpose, always the same', () => {
  const ticket = challenges.ticket();
  const one = challenges.challenge(ticket, 'one');
  expect(one).toMatch(/^[\w-]{43}$/);
  expect(challenges.challenge(ticket, 'one')).toBe(one);
  expect(challenges.challenge(ticket, 'two')).not.toBe(one);
  expect(challenges.challenge(challenges.ticket(), 'one')).not.toBe(one);
});

test('a ticket is handed out again while it is fresh, and is good until its end', () => {
  const ticket = challenges.ticket();
  now += CHALLENGE_MS / 2 - 1;
  expect(challenges.ticket([ticket])).toBe(ticket);
  now += 1;
  expect(challenges.ticket([ticket])).not.toBe(ticket);
  now += CHALLENGE_MS / 2 - 1;
  expect(challenges.challenge(ticket, 'one')).toBeDefined();
  now += 1;
  expect(challenges.challenge(ticket, 'one')).toBeUndefined();
  expect(challenges.use(ticket)).toBe(false);
});

test('a ticket is used once, for whichever purpose', () => {
  const ticket = challenges.ticket();
  expect(challenges.use(ticket)).toBe(true);
  expect(challenges.use(ticket)).toBe(false);
  expect(challenges.challenge(ticket, 'one')).toBeUndefined();
  expect(challenges.ticket([ticket])).not.toBe(ticket);
});

test('a ticket that nobody handed out, or whose end was put off, is none', () => {
  const ticket = challenges.ticket();
  const [random = '', end = '', mac = ''] = ticket.split('.');
  const later = (parseInt(end, 36) + 1).toString(36);
  for (const forged of ['', 'x', `${random}.${later}.${mac}`, `${random}.${end}.${'A'.repeat(43)}`, `${ticket}.`]) {
    expect(challenges.challenge(forged, 'one'), forged).toBeUndefined();
    expect(challenges.use(forged), forged).toBe(false);
  }
  expect(new Challenges(() => now).challenge(ticket, 'one')).toBeUndefined();
});
