/** Where the systems in use begin to give ports to connections of their own (https://man7.org/linux/man-pages/man7/ip.7.html). */
const EPHEMERAL = 32_768;
/** The first that tests use of those below. */
const FIRST = 29_100;

/** A range of ports that nobody else has, as far as chance goes: no connection of the machine's own is ever on one. */
export function portRange(size: number): { min: number; max: number } {
  const min = FIRST + Math.floor(Math.random() * (EPHEMERAL - FIRST - size));
  return { min, max: min + size - 1 };
}
