import { describe, expect, it } from 'vitest';
import {
  demandAllowed,
  isDevice,
  isPlainPath,
  releaseCage,
  type CagePolicy,
  type ReleaseCage,
} from '../../../../src/domain/project/app-cage.js';
import { parseAppFile } from '../../../../src/domain/project/app-file.js';

const policy: CagePolicy = { kind: 'bubblewrap', readOnly: ['/srv/models'], devices: ['gpu', '/dev/fuse'] };
const asked: ReleaseCage = { network: true, readOnly: [], devices: [] };

/** What is said about it; empty where it is allowed. */
function refused(more: Partial<ReleaseCage>, by: Partial<CagePolicy> = {}): string {
  try {
    demandAllowed({ ...asked, ...more }, { ...policy, ...by });
    return '';
  } catch (error) {
    expect(error).toMatchObject({ code: 'cage-not-allowed', field: 'streamlit-host.toml' });
    return (error as Error).message;
  }
}

describe('the cage settings of an app', () => {
  it('is read from its file, and is nothing where it has its defaults', () => {
    const { cage } = parseAppFile('[cage]\nnetwork = false\nread_only = ["/srv/models"]\ndevices = ["gpu"]\n');
    expect(releaseCage(cage)).toEqual({ network: false, readOnly: ['/srv/models'], devices: ['gpu'] });
    expect([releaseCage(undefined), releaseCage({ network: true, devices: [] })]).toEqual([undefined, undefined]);
  });

  it.each([
    ['network = "off"', 'line 3: cage.network must be true or false.'],
    ['read_only = "/srv"', 'line 3: cage.read_only must be a list of paths.'],
    ['read_only = ["models"]', 'must be an absolute path without "." and "..", such as "/srv/models".'],
    ['read_only = ["/srv/../etc"]', 'must be an absolute path without "." and "..", such as "/srv/models".'],
    ['devices = ["/etc/shadow"]', 'must be "gpu" or a path below /dev, such as "/dev/dri".'],
    ['devices = ["/dev/../etc"]', 'must be "gpu" or a path below /dev, such as "/dev/dri".'],
    ['write = ["/srv"]', 'unknown setting cage.write. Valid settings: network, read_only, devices.'],
  ])('is refused with its line where it is invalid: %s', (line, message) => {
    expect(() => parseAppFile(`\n[cage]\n${line}\n`)).toThrow(message);
  });

  it('is allowed as far as the operator allows it, word for word', () => {
    expect(refused({ network: false, readOnly: ['/srv/models'], devices: ['gpu', '/dev/fuse'] })).toBe('');
    expect(refused({ readOnly: ['/srv/models/of-others'] })).toBe(
      'In streamlit-host.toml, [cage] read_only names /srv/models/of-others. This server allows /srv/models. Ask the operator to add it to STREAMLIT_HOST_CAGE_READ_ONLY.',
    );
    expect(refused({ devices: ['/dev/sda'] })).toContain('devices names /dev/sda. This server allows gpu, /dev/fuse.');
    expect(refused({ readOnly: ['/srv'] }, { readOnly: [] })).toContain('This server allows none.');
  });

  it('is refused where the cage cannot do it', () => {
    expect(refused({ network: false }, { kind: 'landlock' })).toBe(
      'In streamlit-host.toml, [cage] network = false needs a container or a bubblewrap cage, and this app runs in a Landlock cage.',
    );
    expect(refused({ network: false }, { kind: 'none' })).toContain('this app runs without a cage.');
    expect(refused({ readOnly: ['/srv/models'], devices: ['gpu'] }, { kind: 'none' })).toBe('');
  });
});

it('paths are written in one way only', () => {
  expect(['/srv/models', '/a'].map(isPlainPath)).toEqual([true, true]);
  expect(['', '/', 'a', '/a/', '//a', '/a/./b', '/a/..', '/a\n'].map(isPlainPath)).not.toContain(true);
  expect(['gpu', '/dev/dri', 'dri', '/dev', '/dev/'].map(isDevice)).toEqual([true, true, false, false, false]);
});
