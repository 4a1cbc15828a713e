import type { TimeView } from './numbers.js';

/** The tokens of an account or an app, and the form for a new one. */
export interface TokensView {
  /** Where the forms are sent to. */
  action: string;
  list: {
    id: string;
    name: string;
    hint: string;
    scope: string;
    apps: string;
    expires: string;
    used: TimeView | undefined;
  }[];
  /** The token that was just made: it is shown once. */
  made: { name: string; secret: string } | undefined;
  personal: boolean;
  scopes: { name: string; chosen: boolean }[];
  name: string;
  apps: string;
  days: string;
  most: number;
  error: string | undefined;
  field: string | undefined;
}

/** The CI jobs that may deploy an app, and the form for more. */
export interface CiView {
  /** What jobs request their ID tokens for. */
  audience: string;
  rules: {
    id: string;
    issuer: string;
    repository: string;
    repositoryId: string | undefined;
    branch: string | undefined;
    environment: string | undefined;
    by: string;
  }[];
  issuers: { name: string; chosen: boolean }[];
  repository: string;
  repositoryId: string;
  branch: string;
  environment: string;
  error: string | undefined;
  field: string | undefined;
}

/** A form about an account. */
export interface AccountForm {
  /** The link that was just made: it is shown once. */
  link: { title: string; url: string; email: string } | undefined;
  /** What was typed, and why it was refused. */
  email: string;
  name: string;
  groups: string;
  admin: boolean;
  error: string | undefined;
  field: string | undefined;
}

/** An account, as the console shows it. */
export interface AccountView {
  id: string;
  title: string;
  email: string;
  href: string;
  groups: string[];
  admin: boolean;
  disabled: boolean;
  /** True until its person has chosen a password. */
  invited: boolean;
  /** False for who logs in with a provider alone. */
  hasPassword: boolean;
  lastLogin: TimeView | undefined;
  /** True for the account of the person who looks. */
  self: boolean;
}

/** The second factors of an account, and the form that changes them. */
export interface FactorsView {
  /** Since when there is an app for codes; undefined where there is none. */
  app: TimeView | undefined;
  passkeys: { id: string; name: string; since: TimeView; used: TimeView | undefined }[];
  /** True where browsers have no passkeys for this server. */
  noPasskeys: boolean;
  /** What a browser is asked for to make a passkey, as JSON, and its name. */
  making: { options: string; name: string } | undefined;
  /** How many recovery codes are left. */
  codesLeft: number;
  /** True where there is any. */
  any: boolean;
  required: boolean;
  /** The key of an app that is being set up. */
  pending: { key: string; uri: string } | undefined;
  /** Recovery codes that were just made: they are shown once. */
  codes: readonly string[];
  error: string | undefined;
  field: string | undefined;
}

/** A session of a browser. */
export interface SessionView {
  id: string;
  title: string;
  from: string;
  /** The provider that it was begun with; empty for none. */
  provider: string;
  used: TimeView;
  /** True for the one that asks. */
  current: boolean;
}

/** An entry of the audit log. */
export interface AuditEntryView {
  at: TimeView;
  who: string;
  door: string;
  from: string;
  what: string;
  app: string;
  about: string;
  result: string;
  bad: boolean;
}
