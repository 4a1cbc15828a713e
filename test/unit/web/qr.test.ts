import { expect, test } from 'vitest';
import decodeQR from 'qr/decode.js';
import { drawQr } from '../../../src/web/qr.js';

test('a drawn QR code says what it was given, dark on light, with free room around it', () => {
  const text = 'otpauth://totp/apps.example.com:ada%40example.com?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ';
  const svg = drawQr(text, 'QR code');
  const size = Number(/viewBox="0 0 (\d+) /.exec(svg)?.[1]);
  const scale = 4;
  const width = size * scale;
  const data = new Uint8Array(width * width * 4).fill(255);
  const rectangles = [...svg.matchAll(/M(\d+) (\d+)h(\d+)v1h-\d+z/g)].map((found) => found.slice(1).map(Number));
  for (const [x = 0, y = 0, length = 0] of rectangles) {
    expect(Math.min(x, y, size - x - length, size - y - 1)).toBeGreaterThanOrEqual(4);
    for (let down = y * scale; down < (y + 1) * scale; down += 1)
      for (let across = x * scale; across < (x + length) * scale; across += 1)
        data.fill(0, (down * width + across) * 4, (down * width + across) * 4 + 3);
  }
  expect(decodeQR({ width, height: width, data })).toBe(text);
  expect(svg).toContain('role="img" aria-label="QR code"');
});
