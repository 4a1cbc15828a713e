/** Waits for work to end, however it does, for a while (ms) at most. @returns whether it has ended */
export async function atMost(ms: number, work: Promise<unknown>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), ms);
  });
  const done = work.then(
    () => true,
    () => true, // It ended, if with an error: that is what was asked for.
  );
  return Promise.race([done, late]).finally(() => clearTimeout(timer));
}
