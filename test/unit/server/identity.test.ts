import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { createLogger } from '../../../src/logger.js';
import { openIdentity } from '../../../src/server/identity.js';
import { AppStore } from '../../../src/store/apps.js';
import { Vault } from '../../../src/store/vault.js';
import { Paths } from '../../../src/store/paths.js';
import { scratch } from '../../helpers/ends.js';

it("every door takes the operator's token and the tokens of accounts, as long as the account is enabled", async () => {
  const paths = new Paths(await scratch('identity-'));
  const { people, tokens, check, written } = await openIdentity({
    config: {
      token: 'the-token-of-the-operator',
      ...{ membersCreate: true, secondFactor: false, proxyLogin: undefined, ciIssuers: [] },
    },
    paths,
    store: new AppStore(paths),
    vault: new Vault(paths),
    publicBase: () => 'http://localhost',
    logger: createLogger('silent'),
  });
  expect(check('the-token-of-the-operator')).toMatchObject({ admin: true });
  const { account } = await people.add({ email: 'ada@example.com' }, { kind: 'system', name: 'the test' });
  const { secret } = await tokens.make(account.id, { name: 'laptop', scope: 'deploy' });
  expect(check(secret)).toMatchObject({ name: expect.stringContaining('ada@example.com') as unknown });
  expect(check(`${secret}x`)).toBeUndefined();
  await written();
  const stored = await readFile(paths.tokens, 'utf8');
  expect(stored).toContain('lastUsedAt');
  expect(stored).not.toContain(secret);
  await people.change(account.id, { disabled: true });
  expect(() => check(secret)).toThrow('disabled');
});
