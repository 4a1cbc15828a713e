/** What a token is for, from the least to the most. */
export const scopes = ['read', 'deploy', 'manage'] as const;

/** What a token may be used for. */
export type Scope = (typeof scopes)[number];
