/** The parts of a server that watch the apps. */
export type Watching = Record<'measuring' | 'alerts' | 'drains', { close(): Promise<void> }>;

/** Returns what ends them, in order: what the last look of one finds is still heard by the next. */
export function endsOf({ measuring, alerts, drains }: Watching): (() => Promise<void>)[] {
  return [() => measuring.close(), () => alerts.close(), () => drains.close()];
}
