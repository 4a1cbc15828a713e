import { expect, it } from 'vitest';
import { APP_ID, appSchema, idFromName, newApp, parseNewAppId } from '../../../../src/domain/app/app.js';
import {
  isIdle,
  isPreviewId,
  newPreview,
  previewId,
  previewsOn,
  sleepsAfterMs,
  usedAt,
} from '../../../../src/domain/app/preview.js';

const now = new Date('2026-05-01T12:00:00.000Z');
const shop = newApp('shop', 'Shop', now);
const preview = newPreview('shop--feature-x', shop, 'feature/x', now);
const nothing = (): boolean => false;
const DAY = 86_400_000;

it.each([
  ['shop', 'feature/x', 'shop--feature-x'],
  ['shop', 'Fix_The--Thing', 'shop--fix-the-thing'],
  ['shop', 'größe', 'shop--gro-e'],
  ['ab', '-7-', 'ab--7'],
])('the id of a preview of %s at %s combines both', (app, branch, id) => {
  expect(previewId(app, branch, nothing)).toBe(id);
});

it('the id of a preview has a hash if another branch has the same slug, or if no slug is left', () => {
  const id = previewId('shop', 'feature-x', (other) => other === 'shop--feature-x');
  expect(id).toMatch(/^shop--feature-x-[0-9a-f]{6}$/);
  expect(previewId('shop', 'feature-x', (other) => other === 'shop--feature-x' || other === id)).toMatch(
    /^shop--feature-x-[0-9a-f]{12}$/,
  );
  expect(previewId('shop', '日本', nothing)).toMatch(/^shop--[0-9a-f]{6}$/);
  expect(previewId('shop', '日本', nothing)).not.toBe(previewId('shop', '中国', nothing));
});

it('the id of a preview is a valid app id of at most 63 characters, different for each branch', () => {
  for (const length of [2, 10, 31, 54, 55, 56, 61, 63]) {
    const app = 'a'.repeat(length);
    const ids = ['x', 'y', '日', 'b'.repeat(60), 'b'.repeat(61), `${'b'.repeat(20)}/${'c'.repeat(200)}`].map((branch) =>
      previewId(app, branch, nothing),
    );
    for (const id of ids) {
      expect(id).toMatch(APP_ID);
      expect(isPreviewId(id)).toBe(true);
      expect(id.startsWith(app.slice(0, 32))).toBe(true);
    }
    expect(new Set(ids).size).toBe(ids.length);
  }
  // Two long apps that begin the same do not share a preview.
  expect(previewId(`${'a'.repeat(62)}1`, 'x', nothing)).not.toBe(previewId(`${'a'.repeat(62)}2`, 'x', nothing));
});

it('the id of a preview is never that of a regular app', () => {
  expect(() => parseNewAppId('shop--x')).toThrow('only previews have "--" in their ids');
  expect(parseNewAppId('shop-x')).toBe('shop-x');
  for (const name of ['Shop -- X', 'a--b', '--', 'shop – x', `${'a'.repeat(49)}--b`])
    expect(isPreviewId(idFromName(name))).toBe(false);
});

it('a preview follows its branch and names the app it belongs to', () => {
  expect(appSchema.parse(preview)).toEqual(preview);
  expect(preview).toMatchObject({
    name: 'Shop (feature/x)',
    deployBranch: 'feature/x',
    preview: { of: 'shop', branch: 'feature/x' },
  });
});

it('a preview has a name that could be saved again', () => {
  const nameOf = (name: string): string => newPreview('shop--x', { ...shop, name }, 'feature', now).name;
  expect(nameOf('a'.repeat(100))).toBe('a'.repeat(100));
  expect(nameOf('a'.repeat(99))).toBe('a'.repeat(99));
  expect(nameOf(`a${'😀'.repeat(50)}`)).toBe(`a${'😀'.repeat(49)}`);
});

it('a preview has no previews itself, and an app has them if it or the server says so', () => {
  expect(previewsOn(preview, true)).toBe(false);
  expect(previewsOn(shop, true)).toBe(true);
  expect(previewsOn(shop, false)).toBe(false);
  expect(previewsOn({ ...shop, previews: false }, true)).toBe(false);
  expect(previewsOn({ ...shop, previews: true }, false)).toBe(true);
});

it('a preview is idle once it has been unused for long enough', () => {
  expect(isIdle(preview, 14 * DAY, now.getTime() + 14 * DAY - 1)).toBe(false);
  expect(isIdle(preview, 14 * DAY, now.getTime() + 14 * DAY)).toBe(true);
  expect(isIdle(usedAt(preview, now.getTime() + DAY), 14 * DAY, now.getTime() + 14 * DAY)).toBe(false);
  expect(isIdle(preview, 0, now.getTime() + 1_000 * DAY)).toBe(false);
  expect(isIdle(shop, DAY, now.getTime() + 1_000 * DAY)).toBe(false);
});

it('the last use of a preview never moves backwards', () => {
  expect(usedAt(preview, now.getTime() - 1)).toBe(preview);
  expect(usedAt(shop, now.getTime() + 1)).toBe(shop);
});

it('a preview sleeps after half an hour, unless its app file or a shorter server setting says otherwise', () => {
  expect(sleepsAfterMs(preview, 0)).toBe(30 * 60_000);
  expect(sleepsAfterMs(preview, 2 * 3_600_000)).toBe(30 * 60_000);
  expect(sleepsAfterMs(preview, 60_000)).toBe(60_000);
  expect(sleepsAfterMs({ ...preview, sleepAfterMinutes: 0 }, 60_000)).toBe(0);
  expect(sleepsAfterMs(shop, 0)).toBe(0);
  expect(sleepsAfterMs({ ...shop, sleepAfterMinutes: 5 }, 0)).toBe(300_000);
});
