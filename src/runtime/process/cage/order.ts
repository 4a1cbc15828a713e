import type { Duplex } from 'node:stream';

/** The descriptor from which the last step of a cage reads what to run. */
export const DESCRIPTOR = 3;

/**
 * Tells the last step of a cage what to run.
 * @returns whether the cage is shut and what runs in it begins; false where it ended before
 */
export function giveOrder(descriptor: Duplex, order: string): Promise<boolean> {
  return new Promise((resolve) => {
    // Where it ends before it has heard this, its end tells more than the broken pipe.
    descriptor.on('error', () => resolve(false));
    descriptor.on('close', () => resolve(false));
    descriptor.once('data', () => {
      resolve(true);
      descriptor.destroy();
    });
    descriptor.write(order);
  });
}
