import { createHash } from 'node:crypto';

const WIDTH = 320;
const HEIGHT = 140;

/** Ground, main and second colour: quiet on light and on dark paper alike. */
const PALETTES = [
  ['#17454f', '#6fc3cf', '#e9b872'],
  ['#3d2c4f', '#b79be0', '#f0b6a2'],
  ['#1f3f33', '#7fc8a0', '#e6cf7d'],
  ['#4a2b2b', '#e59a84', '#f0d29a'],
  ['#23355a', '#8fb3ee', '#f2c177'],
  ['#4a3a1c', '#e0b95f', '#9fc7b1'],
  ['#2c3a2a', '#a9c77d', '#e7a98b'],
  ['#46253c', '#df93b8', '#a9b8ec'],
] as const;

/** A stream of numbers in [0, 1) that is the same for the same words. */
type Dice = () => number;

/**
 * A picture for an app that has none: a small chart drawn from its name, always the same for the same name.
 * @returns an inline SVG of 320 × 140, decoration only
 */
export function drawPicture(name: string): string {
  const roll = dice(name);
  const [ground, main, second] = PALETTES[Math.floor(roll() * PALETTES.length)] ?? PALETTES[0];
  const draw = MOTIFS[Math.floor(roll() * MOTIFS.length)] ?? bars;
  return (
    `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" preserveAspectRatio="xMidYMid slice" aria-hidden="true" focusable="false">` +
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="${ground}"/>${draw(roll, main, second)}</svg>`
  );
}

const MOTIFS = [bars, waves, dots, rings, lines, tiles];

function bars(roll: Dice, main: string, second: string): string {
  const marked = Math.floor(roll() * 12);
  return range(12, (i) => {
    const height = 24 + roll() * 84;
    return `<rect x="${28 + i * 22.5}" y="${round(124 - height)}" width="15" height="${round(height)}" rx="3" fill="${i === marked ? second : main}"/>`;
  });
}

function waves(roll: Dice, main: string, second: string): string {
  return range(3, (i) => {
    const top = 46 + i * 26;
    const points = [0, 1, 2, 3, 4].map((step) => [step * 80, round(top + (roll() - 0.5) * 44)] as const);
    const path = points.map(([x, y], step) => {
      const before = points[step - 1];
      return before === undefined ? `M${x} ${y}` : `C${before[0] + 40} ${before[1]} ${x - 40} ${y} ${x} ${y}`;
    });
    return `<path d="${path.join('')}V${HEIGHT}H0Z" fill="${i === 1 ? second : main}" opacity="${0.35 + i * 0.2}"/>`;
  });
}

function dots(roll: Dice, main: string, second: string): string {
  return range(34, (i) => {
    const x = 24 + roll() * 272;
    const y = 118 - (x / WIDTH) * 70 + (roll() - 0.5) * 66;
    return `<circle cx="${round(x)}" cy="${round(y)}" r="${round(2.5 + roll() * 5)}" fill="${i % 5 === 0 ? second : main}" opacity="0.85"/>`;
  });
}

function rings(roll: Dice, main: string, second: string): string {
  const x = 90 + roll() * 140;
  return range(5, (i) => {
    const radius = 18 + i * 19;
    const length = 2 * Math.PI * radius;
    const arc = length * (0.25 + roll() * 0.5);
    const turn = Math.round(roll() * 360);
    return (
      `<circle cx="${round(x)}" cy="70" r="${radius}" fill="none" stroke="${i === 2 ? second : main}" stroke-width="9" stroke-linecap="round" ` +
      `stroke-dasharray="${round(arc)} ${round(length)}" transform="rotate(${turn} ${round(x)} 70)"/>`
    );
  });
}

function lines(roll: Dice, main: string, second: string): string {
  return range(3, (i) => {
    let y = 50 + i * 22;
    const points = Array.from({ length: 15 }, (_, step) => {
      y = Math.min(124, Math.max(16, y + (roll() - 0.5) * 30));
      return `${20 + step * 20},${round(y)}`;
    });
    return `<polyline points="${points.join(' ')}" fill="none" stroke="${i === 0 ? second : main}" stroke-width="${i === 0 ? 4 : 2.5}" stroke-linejoin="round" stroke-linecap="round" opacity="${i === 2 ? 0.5 : 1}"/>`;
  });
}

function tiles(roll: Dice, main: string, second: string): string {
  return range(48, (i) => {
    const heat = roll();
    const fill = heat > 0.9 ? second : main;
    return `<rect x="${24 + (i % 12) * 23}" y="${24 + Math.floor(i / 12) * 23}" width="19" height="19" rx="3" fill="${fill}" opacity="${round(0.15 + heat * 0.85)}"/>`;
  });
}

function range(count: number, draw: (i: number) => string): string {
  return Array.from({ length: count }, (_, i) => draw(i)).join('');
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function dice(seed: string): Dice {
  let bytes = createHash('sha256').update(seed).digest();
  let at = 0;
  return () => {
    if (at + 4 > bytes.length) {
      bytes = createHash('sha256').update(bytes).digest();
      at = 0;
    }
    const value = bytes.readUInt32BE(at) / 2 ** 32;
    at += 4;
    return value;
  };
}
