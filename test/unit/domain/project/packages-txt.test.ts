import { describe, expect, it } from 'vitest';
import { missingPackages, parsePackages } from '../../../../src/domain/project/packages-txt.js';

describe('parsePackages', () => {
  it('parses names, comments, blank lines and several names in a line', () => {
    expect(
      parsePackages('\uFEFF# sound\r\nffmpeg  # video too\r\n\r\nlibgl1 libstdc++6\nlibc6:amd64\nffmpeg\n'),
    ).toEqual(['ffmpeg', 'libgl1', 'libstdc++6', 'libc6:amd64']);
    expect(parsePackages('')).toEqual([]);
  });

  it.each([
    '-o',
    '--purge',
    '../x.deb',
    './x.deb',
    '/etc/passwd',
    'a;reboot',
    '$(id)',
    'Ffmpeg',
    'x=1.0',
    'a',
    '\u001b[31mx',
    `a${'b'.repeat(200)}`,
  ])('refuses %j with its line number', (name) => {
    expect(() => parsePackages(`ffmpeg\n${name}\n`)).toThrow(
      /^"[^\p{Cc}]*" in line 2 of packages\.txt is not a valid Debian package name\. /u,
    );
    expect(() => parsePackages(name)).toThrow(
      expect.objectContaining({ code: 'packages-invalid', field: 'packages.txt' }),
    );
  });
});

describe('missingPackages', () => {
  it('lists the missing ones, and says who can install them', () => {
    expect(missingPackages(['ffmpeg']).message).toBe(
      'packages.txt lists ffmpeg, which is not installed on this server. Ask the operator to run "apt-get install ffmpeg", then push again.',
    );
    expect(missingPackages(['a1', 'b2', 'c3']).message).toMatch(
      /lists a1, b2 and c3, which are not installed .* "apt-get install a1 b2 c3"/,
    );
  });
});
