import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { removeOrLater } from '../../../src/lib/remove-or-later.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const readOnly = Object.assign(new Error('unlink'), { code: 'EROFS' });

it('deletes a file of a read-only disk once the disk can be written', async () => {
  const remove = vi.fn<(path: string) => Promise<void>>().mockResolvedValue();
  remove.mockRejectedValueOnce(readOnly).mockRejectedValueOnce(readOnly);
  await removeOrLater('/data/run/app/socket', remove);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(remove.mock.calls).toEqual(Array.from({ length: 3 }, () => ['/data/run/app/socket']));
  await vi.advanceTimersByTimeAsync(60_000);
  expect(remove).toHaveBeenCalledTimes(3);
});

it('passes on what waiting does not change', async () => {
  const forbidden = Object.assign(new Error('unlink'), { code: 'EACCES' });
  const remove = vi.fn<(path: string) => Promise<void>>().mockRejectedValue(forbidden);
  await expect(removeOrLater('/data/file', remove)).rejects.toBe(forbidden);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(remove).toHaveBeenCalledTimes(1);
});
