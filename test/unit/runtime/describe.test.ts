import { describe, expect, it } from 'vitest';
import { howItEnded, nameOf, whereItListens } from '../../../src/runtime/describe.js';

describe('an instance in words', () => {
  it('is named by its pid, or by its mark where it has none here', () => {
    expect(nameOf({ runtime: 'process', mark: '/a/1/x', pid: 12 })).toBe('pid=12');
    expect(nameOf({ runtime: 'process', mark: '/a/1/x', pid: 12 }, ' ')).toBe('pid 12');
    expect(nameOf({ runtime: 'process', mark: '/a/1/x' })).toBe('instance=/a/1/x');
  });

  it('says which ports it listens on when it does not answer on its own', () => {
    expect(whereItListens(8501, [])).toBe(' (not listening on any port)');
    expect(whereItListens(8501, [8501, 9000])).toBe(' (listening, but not answering)');
    expect(whereItListens(8501, [9000, 9001])).toBe(' (listening on 9000, 9001 instead)');
  });

  it('says nothing of ports when it has a socket and opened none', () => {
    expect(whereItListens(undefined, [])).toBe('');
    expect(whereItListens(undefined, [8501])).toBe(' (listening on 8501 instead)');
  });

  it('tells a signal from an exit code, and from an end of which neither is known', () => {
    expect(howItEnded({ code: null, signal: 'SIGKILL' })).toBe('the app was killed by SIGKILL');
    expect(howItEnded({ code: 3, signal: null })).toBe('the app exited with code 3');
    expect(howItEnded({ code: null, signal: null })).toBe('the app exited');
  });
});
