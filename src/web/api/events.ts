import type { AppStatus } from '../../host/apps.js';
import { signedIn } from '../auth.js';
import { presentApp } from './present.js';
import { route, type ApiContext, type Route } from './route.js';
import { streamEvents } from './sse.js';

/** The call that streams every change. */
export function eventRoutes(api: ApiContext): Route[] {
  const present = (status: AppStatus): object => presentApp(status, api.links(), new Date(), api.memoryOf);
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
        const by = signedIn(ctx).principal;
        /** Whether the reader may see an app now: groups and roles change while they read. */
        const isSeen = ({ app }: AppStatus): boolean => {
          const reader = by.account === undefined ? by : api.people.principal(by.account);
          return reader !== undefined && api.rights.may(reader, 'see', app);
        };
        streamEvents(ctx, api, async (stream) => {
          const { signal } = stream;
          let changed = new Map<string, AppStatus | undefined>();
          let wake: () => void = () => undefined;
          const unsubscribe = api.host.apps.subscribe((id, status) => {
            changed.set(id, status);
            wake();
          });
          signal.addEventListener('abort', () => wake(), { once: true });
          try {
            const first = api.host.apps.list().filter(isSeen);
            // Of an app that the reader never saw, they are not told that it is gone.
            const seen = new Set(first.map(({ app }) => app.id));
            await stream.send({ event: 'snapshot', data: JSON.stringify({ apps: first.map(present) }) });
            while (!signal.aborted) {
              const batch = changed;
              changed = new Map();
              for (const [id, status] of batch) {
                if (status !== undefined && isSeen(status)) {
                  seen.add(id);
                  await stream.send({ event: 'app', data: JSON.stringify(present(status)) });
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
