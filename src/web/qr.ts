import { encodeQR } from 'qr';

/** Free modules around a QR code, which readers need (ISO/IEC 18004, 5.3.8). */
const BORDER = 4;

/** Draws a QR code as an SVG, dark on light by day and by night: many readers take no other. @param label what it is, for screen readers, as HTML */
export function drawQr(text: string, label: string): string {
  const rows = encodeQR(text, 'raw', { ecc: 'medium', border: BORDER });
  // Modules beside each other are one rectangle.
  const dark = rows.flatMap((row, y) => {
    const text = row.map((isDark) => (isDark ? '1' : '0')).join('');
    return [...text.matchAll(/1+/g)].map(({ 0: { length }, index }) => `M${index} ${y}h${length}v1h-${length}z`);
  });
  const size = rows.length;
  return `<svg class="qr" viewBox="0 0 ${size} ${size}" role="img" aria-label="${label}" shape-rendering="crispEdges"><rect width="${size}" height="${size}" fill="#fff"/><path fill="#000" d="${dark.join('')}"/></svg>`;
}
