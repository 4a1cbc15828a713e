import type { Page } from './page.js';

/** A route of the console: validate, authorise (the guard before it did), call, present. */
export type Route = (page: Page) => Promise<void> | void;

/** Adds one route to the console. */
export type AddRoute = (method: 'get' | 'post', path: string, route: Route) => void;
