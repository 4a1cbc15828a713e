import type { AppStatus } from '../../host/apps.js';
import { signedIn } from '../auth.js';
import { presentFor } from './present.js';
import { route, type ApiContext, type Route } from './route.js';
import { streamEvents } from './sse.js';

/** The call that streams every change. */
export function eventRoutes(api: ApiContext): Route[] {
  return [
    route({
      method: 'get',
      path: '/events',
      tag: 'apps',
      can: 'list',
      summary: 'Stream app changes',
      description:
        'Server-sent events: "snapshot" with all apps, then "app" for each changed app and "removed" with the id of a deleted one. ' +
        'A slow reader gets the latest state of each app, not every step.',
      answers: { 200: { description: 'A stream of events.', content: { 'text/event-stream': { type: 'string' } } } },
      async handle(ctx) {
        // As they are now: groups change while they read, and tokens end.
        const { now } = signedIn(ctx);
        const mayRead = (): boolean => {
          const by = now();
          return by !== undefined && api.rights.may(by, 'list');
        };
        /** An app as the reader may see it now; undefined where they may not. */
        const seenBy = (status: AppStatus): object | undefined => {
          const by = now();
          if (by === undefined || !api.rights.may(by, 'open', status.app)) return undefined;
          return presentFor(api, by, status);
        };
        streamEvents(ctx, api, mayRead, async (stream) => {
          const { signal } = stream;
          let changed = new Map<string, AppStatus | undefined>();
          let wake: () => void = () => undefined;
          const unsubscribe = api.host.apps.subscribe((id, status) => {
            changed.set(id, status);
            wake();
          });
          signal.addEventListener('abort', () => wake(), { once: true });
          try {
            const first = api.host.apps.list().flatMap((status) => {
              const app = seenBy(status);
              return app === undefined ? [] : { id: status.app.id, app };
            });
            // Of an app that the reader never saw, they are not told that it is gone.
            const seen = new Set(first.map(({ id }) => id));
            await stream.send({ event: 'snapshot', data: JSON.stringify({ apps: first.map(({ app }) => app) }) });
            while (!signal.aborted) {
              const batch = changed;
              changed = new Map();
              for (const [id, status] of batch) {
                const app = status === undefined ? undefined : seenBy(status);
                if (app !== undefined) {
                  seen.add(id);
                  await stream.send({ event: 'app', data: JSON.stringify(app) });
                } else if (seen.delete(id)) await stream.send({ event: 'removed', data: JSON.stringify({ id }) });
              }
              if (changed.size === 0 && !signal.aborted) await new Promise<void>((resolve) => (wake = resolve));
            }
          } finally {
            unsubscribe();
          }
        });
      },
    }),
  ];
}
