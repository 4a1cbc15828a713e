import { z } from 'zod';
import type { App } from './app.js';

/** The most processes that one app can have: each is a whole Python, and they share the machine. */
export const MAX_REPLICAS = 16;

const RULE = `must be a whole number from 1 to ${MAX_REPLICAS}`;

/** How many processes run an app. */
export const replicasSchema = z.int(RULE).min(1, RULE).max(MAX_REPLICAS, RULE);

/** Returns how many processes of the live release are wanted. */
export function replicasOf({ replicas = 1 }: Pick<App, 'replicas'>): number {
  return replicas;
}

/** Returns an app that is to have so many processes. One with a single process is recorded as apps have always been. */
export function withReplicas({ replicas: _, ...app }: App, replicas: number): App {
  return replicas === 1 ? app : { ...app, replicas };
}
