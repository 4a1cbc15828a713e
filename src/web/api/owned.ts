import { z } from 'zod';
import type { Verb } from '../../domain/access/permissions.js';
import { MACHINE } from '../../store/vault.js';
import type { ApiContext, Route } from './route.js';
import { params } from './schemas.js';

const none = z.object({});

/** What is kept for an app and for the machine alike, such as who is told what goes wrong with it. */
export interface Owned {
  path: string;
  /** What somebody must be allowed in order to see it, and to change it. */
  can: { see: Verb; change: Verb };
  /** Whose it is, in a few words. */
  what: string;
  /** The parameters of the path. */
  own: typeof params.app | typeof none;
  /** Returns the owner that a path names. @throws Refusal `app-not-found` */
  ownerOf: (params: { id?: string | undefined }) => string;
}

/** Returns the same routes for an app and for the machine. @param all who has what the machine has, in a few words */
export function ownedRoutes(
  { host }: Pick<ApiContext, 'host'>,
  { name, see, all }: { name: string; see: Verb; all: string },
  routesOf: (owned: Owned) => Route[],
): Route[] {
  const ofApp: Owned = {
    path: `/apps/{id}/${name}`,
    can: { see, change: 'alerts' },
    what: 'an app',
    own: params.app,
    ownerOf: ({ id }) => host.apps.get(id ?? '').app.id,
  };
  const can = { see: 'server', change: 'server' } as const;
  const ofMachine: Owned = { path: `/server/${name}`, can, what: all, own: none, ownerOf: () => MACHINE };
  return [...routesOf(ofApp), ...routesOf(ofMachine)];
}
