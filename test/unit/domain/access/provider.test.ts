import { describe, expect, test } from 'vitest';
import { readProviders, type Provider } from '../../../../src/domain/access/provider.js';

function read(settings: Record<string, string>): { providers: Provider[]; mistakes: string[] } {
  return readProviders((name) => settings[name]);
}

const ONE = { OIDC_ISSUER: 'https://login.example.com', OIDC_CLIENT_ID: 'host' };

describe('the settings of providers', () => {
  test('are none, one, or several', () => {
    expect(read({})).toEqual({ providers: [], mistakes: [] });
    expect(read({ ...ONE, OIDC_CLIENT_SECRET: 'secret' }).providers).toMatchObject([
      { id: 'oidc', name: 'login.example.com', issuer: 'https://login.example.com', creates: true, trustsEmail: false },
    ]);
    const several = read({
      OIDC_PROVIDERS: 'company, Partner',
      OIDC_COMPANY_ISSUER: 'https://a.example',
      OIDC_COMPANY_CLIENT_ID: 'a',
      OIDC_COMPANY_NAME: 'The Company',
      OIDC_PARTNER_ISSUER: 'https://b.example/realms/b/',
      OIDC_PARTNER_CLIENT_ID: 'b',
      OIDC_PARTNER_DOMAINS: '@B.example, c.example',
      OIDC_PARTNER_ACCOUNTS: 'invited',
    });
    expect(several.mistakes).toEqual([]);
    expect(several.providers).toMatchObject([
      { id: 'company', name: 'The Company', issuer: 'https://a.example' },
      { id: 'partner', issuer: 'https://b.example/realms/b/', domains: ['b.example', 'c.example'], creates: false },
    ]);
  });

  test('ask for groups where something depends on them', () => {
    expect(read(ONE).providers[0]?.groupsClaim).toBeUndefined();
    expect(read({ ...ONE, OIDC_ADMIN_GROUP: 'Ops' }).providers).toMatchObject([
      { groupsClaim: 'groups', adminGroup: 'ops' },
    ]);
    expect(read({ ...ONE, OIDC_GROUPS_CLAIM: 'roles' }).providers).toMatchObject([{ groupsClaim: 'roles' }]);
  });

  test.each([
    [{ ...ONE, OIDC_ISSUER: 'http://login.example.com' }, 'STREAMLIT_HOST_OIDC_ISSUER must be an https URL'],
    [{ ...ONE, OIDC_ISSUER: 'login' }, 'STREAMLIT_HOST_OIDC_ISSUER must be an https URL'],
    [{ OIDC_ISSUER: 'https://login.example.com' }, 'STREAMLIT_HOST_OIDC_CLIENT_ID must be set.'],
    [{ ...ONE, OIDC_ACCOUNTS: 'all' }, 'STREAMLIT_HOST_OIDC_ACCOUNTS must be create or invited (found all).'],
    [{ ...ONE, OIDC_EMAILS: 'no' }, 'STREAMLIT_HOST_OIDC_EMAILS must be verified or trusted (found no).'],
    [{ OIDC_PROVIDERS: 'a-b' }, 'STREAMLIT_HOST_OIDC_PROVIDERS must be a short name'],
    [{ OIDC_PROVIDERS: 'a', OIDC_A_ISSUER: 'https://a.example' }, 'STREAMLIT_HOST_OIDC_A_CLIENT_ID must be set.'],
  ])('that are wrong are named (%j)', (settings, sentence) => {
    const { providers, mistakes } = read(settings);
    expect(providers).toEqual([]);
    expect(mistakes).toEqual([expect.stringContaining(sentence)]);
  });

  test('cannot be for one and for several at once', () => {
    expect(
      read({ ...ONE, OIDC_PROVIDERS: 'a', OIDC_A_ISSUER: 'https://a.example', OIDC_A_CLIENT_ID: 'a' }).mistakes,
    ).toEqual(['STREAMLIT_HOST_OIDC_ISSUER cannot be used with STREAMLIT_HOST_OIDC_PROVIDERS.']);
  });

  test('may use plain HTTP on this machine alone', () => {
    expect(read({ ...ONE, OIDC_ISSUER: 'http://localhost:9000' }).mistakes).toEqual([]);
  });
});
