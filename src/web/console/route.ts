import type { Verb } from '../../domain/access/permissions.js';
import type { Page } from './page.js';

/** A route of the console: validate, call, present. Who may come this far was decided before it. */
export type Route = (page: Page) => Promise<void> | void;

/** Adds one route to the console. `can` names what the person must be allowed to do, to the app of a path with `:id`. */
export type AddRoute = (method: 'get' | 'post', path: string, can: Verb, route: Route) => void;
