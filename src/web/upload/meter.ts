import { Transform } from 'node:stream';

/**
 * Lets bytes through and counts them.
 * @param count called with the size of every chunk; what it throws ends the stream
 */
export function meter(count: (bytes: number) => void): Transform {
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      try {
        count(chunk.length);
      } catch (error) {
        done(error instanceof Error ? error : new Error(String(error)));
        return;
      }
      done(null, chunk);
    },
  });
}
