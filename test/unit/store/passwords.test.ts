import { expect, test } from 'vitest';
import { COST, Passwords } from '../../../src/store/passwords.js';

const LIGHT = { ln: 4, r: 1, p: 1 };

test('a password is known again by its hash, which holds its own cost and salt', async () => {
  const passwords = new Passwords(LIGHT);
  const [one, other] = await Promise.all([passwords.hash('correct horse'), passwords.hash('correct horse')]);
  expect(one).toMatch(/^\$scrypt\$ln=4,r=1,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/);
  expect(one).not.toBe(other);
  expect(await passwords.try('correct horse', one)).toEqual({ right: true, old: false });
  expect(await passwords.try('Correct horse', one)).toEqual({ right: false, old: false });
});

test('the same password in another Unicode form is the same', async () => {
  const passwords = new Passwords(LIGHT);
  expect((await passwords.try('cafe\u0301 au lait', await passwords.hash('caf\u00e9 au lait'))).right).toBe(true);
});

test('a hash with another cost is known again, and is to be replaced', async () => {
  const hash = await new Passwords(LIGHT).hash('correct horse');
  expect(await new Passwords({ ...LIGHT, ln: 5 }).try('correct horse', hash)).toEqual({ right: true, old: true });
});

test.each([undefined, '', 'plain text', '$scrypt$ln=30,r=8,p=1$AAAA$AAAA'])('no password fits %j', async (stored) => {
  expect((await new Passwords(LIGHT).try('', stored)).right).toBe(false);
  expect((await new Passwords(LIGHT).try('plain text', stored)).right).toBe(false);
});

test.each(['short', 'x'.repeat(201), 'ada@example.com', 'Ada@Example.com'])(
  'the password %j is refused',
  (password) => {
    expect(() => new Passwords().demandGood(password, 'ada@example.com')).toThrow(/10 to 200 characters/);
  },
);

test('a guess costs 32 MB and takes as long without an account', async () => {
  expect(128 * 2 ** COST.ln * COST.r).toBe(32 * 1024 * 1024);
  const passwords = new Passwords({ ln: 13, r: 8, p: 1 });
  const hash = await passwords.hash('correct horse');
  /** The shortest of three: what a busy machine adds is left out. */
  const timed = async (stored: string | undefined): Promise<number> => {
    const times: number[] = [];
    for (let round = 0; round < 3; round += 1) {
      const begun = performance.now();
      await passwords.try('a guess', stored);
      times.push(performance.now() - begun);
    }
    return Math.min(...times);
  };
  const withAccount = await timed(hash);
  // Without the work, it is a thousandth of that, on the busiest machine.
  expect(await timed(undefined)).toBeGreaterThan(withAccount / 20);
});
