/**
 * Two pieces of work at once. Ends when both have ended, so that neither continues while the caller tidies up.
 * @throws what the first one threw, or else the second
 */
export async function both<A, B>(first: Promise<A>, second: Promise<B>): Promise<[A, B]> {
  await Promise.allSettled([first, second]);
  return [await first, await second];
}
