/**
 * Ends one thing after another. What cannot be ended keeps none of the others from it.
 * @param failed is told why; must not throw
 */
export async function endInTurn(ends: readonly (() => unknown)[], failed: (error: unknown) => void): Promise<void> {
  for (const end of ends) {
    try {
      await end();
    } catch (error) {
      failed(error);
    }
  }
}
