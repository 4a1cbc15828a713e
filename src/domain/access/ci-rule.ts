import { z } from 'zod';
import { ENTRY_ID } from '../../lib/entry-id.js';

/** The most rules of one app. */
export const MAX_CI_RULES = 50;

export const ciRuleSchema = z.object({
  id: z.string().regex(ENTRY_ID),
  /** The URL of the issuer. */
  issuer: z.string(),
  repository: z.string(),
  /** The service's own number of the repository; not there until the first job has shown it. */
  repositoryId: z.string().optional(),
  /** What a job must run on; at least one of the two is there. */
  branch: z.string().optional(),
  environment: z.string().optional(),
  /** Who made it, and the id of their account; without one, it was the admin token. */
  by: z.string(),
  account: z.string().optional(),
  /** ms since 1970. */
  createdAt: z.number(),
});

/** Which CI jobs get a deploy token for an app. */
export type CiRule = z.infer<typeof ciRuleSchema>;
