import type { AppStatus } from '../../host/apps.js';
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
      summary: 'Stream app changes',
      description:
        'Server-sent events: "snapshot" with all apps, then "app" for each changed app and "removed" with the id of a deleted one. ' +
        'A slow reader gets the latest state of each app, not every step.',
      answers: { 200: { description: 'A stream of events.', content: { 'text/event-stream': { type: 'string' } } } },
      async handle(ctx) {
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
            await stream.send({ event: 'snapshot', data: JSON.stringify({ apps: api.host.apps.list().map(present) }) });
            while (!signal.aborted) {
              const batch = changed;
              changed = new Map();
              for (const [id, status] of batch) {
                await stream.send(
                  status === undefined
                    ? { event: 'removed', data: JSON.stringify({ id }) }
                    : { event: 'app', data: JSON.stringify(present(status)) },
                );
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
