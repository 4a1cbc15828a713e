/** Who may open an app: everyone, everyone who is logged in, or the people and groups with a role in it. */
export const openings = ['public', 'signed-in', 'people'] as const;

/** Who may open an app. */
export type Opening = (typeof openings)[number];
