/**
 * Who may open an app: everyone, everyone who is logged in, the people and groups with a role in it, or also everyone who knows
 * its password.
 */
export const openings = ['public', 'signed-in', 'people', 'password'] as const;

/** Who may open an app. */
export type Opening = (typeof openings)[number];
