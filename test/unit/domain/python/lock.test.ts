import { describe, expect, it } from 'vitest';
import { keptOf, lockedRequirements, lockLines, parseMetadata } from '../../../../src/domain/python/lock.js';

const COMMIT = 'c'.repeat(40);
const DIGEST = 'd'.repeat(64);

function direct(url: string, more: object = {}): ReturnType<typeof lockLines> {
  return lockLines([{ name: 'Some_Package', version: '1.0', origin: { url, ...more } }]);
}

describe('parseMetadata', () => {
  it('reads the name and the version, and nothing of the text', () => {
    expect(parseMetadata('Metadata-Version: 2.1\r\nName:  Six \r\nVersion:\t1.17\r\n\r\nName: b\r\n')).toEqual({
      name: 'Six',
      version: '1.17',
    });
    expect(parseMetadata('\n\nName: a\n')).toEqual({ name: '', version: '' });
  });

  it('reads a name with many spaces in it at once', () => {
    const name = `a${' '.repeat(100_000)}b`;
    expect(parseMetadata(`Name: ${name}\nVersion: 1\n`).name).toBe(name);
  });
});

describe('lockLines', () => {
  it('names exact versions of packages from indexes, in order', () => {
    const packages = [
      { name: 'Six', version: '1.17.0', origin: undefined },
      { name: 'Py_YAML', version: '6.0+local.1', origin: undefined },
    ];
    expect(lockLines(packages)).toEqual({ pinned: ['py-yaml==6.0+local.1', 'six==1.17.0'], direct: [] });
  });

  it('names the commit of a branch, without credentials', () => {
    const vcs_info = { vcs: 'git', commit_id: COMMIT, requested_revision: 'main' };
    expect(direct('https://ada:secret@example.com/a.git', { vcs_info }).direct).toEqual([
      `some-package @ git+https://example.com/a.git@${COMMIT}`,
    ]);
    expect(direct('ssh://git@example.com/a.git', { vcs_info, subdirectory: 'lib' }).direct).toEqual([
      `some-package @ git+ssh://git@example.com/a.git@${COMMIT}#subdirectory=lib`,
    ]);
  });

  it('names the hash of a file from a URL', () => {
    const archive_info = { hashes: { sha256: DIGEST } };
    expect(direct('https://example.com/a.whl', { archive_info }).direct).toEqual([
      `some-package @ https://example.com/a.whl#sha256=${DIGEST}`,
    ]);
    expect(direct('https://example.com/a.zip').direct).toEqual(['some-package @ https://example.com/a.zip']);
  });

  it("leaves out the project's own packages and what could mean something else", () => {
    expect(direct('file:///srv/project', { dir_info: {} })).toEqual({ pinned: [], direct: [] });
    expect(direct('https://example.com/a b')).toEqual({ pinned: [], direct: [] });
    expect(direct('https://example.com/a', { vcs_info: { vcs: 'git', commit_id: '--upload-pack=x' } }).direct).toEqual(
      [],
    );
    const bad = [
      { name: 'a\n--index-url', version: '1', origin: undefined },
      { name: 'b', version: '1\n-r /etc/passwd', origin: undefined },
      { name: '', version: '', origin: undefined },
    ];
    expect(lockLines(bad)).toEqual({ pinned: [], direct: [] });
  });
});

describe('lockedRequirements', () => {
  it('keeps the options and the project, and takes all other packages from the lock', () => {
    const texts = [
      '--index-url https://example.com/simple\n--require-hashes\nsix\n./lib[extra]\n-c more.txt\n',
      'numpy<2\n',
    ];
    expect(lockedRequirements(keptOf(texts), 'six==1.17.0\n')).toBe(
      '--index-url https://example.com/simple\n./lib[extra]\nsix==1.17.0\n',
    );
  });

  it('gives URLs the credentials that the files name for them', () => {
    const texts = ['a @ git+https://${TOKEN}@example.com/a.git@main#egg=a\nb @ https://u:p@example.com/b.whl\n'];
    const lock = `a @ git+https://example.com/a.git@${COMMIT}\nb @ https://example.com/b.whl#sha256=${DIGEST}\nc @ git+https://example.com/c.git@${COMMIT}\n`;
    expect(lockedRequirements(keptOf(texts), lock)).toBe(
      `a @ git+https://\${TOKEN}@example.com/a.git@${COMMIT}\nb @ https://u:p@example.com/b.whl#sha256=${DIGEST}\nc @ git+https://example.com/c.git@${COMMIT}\n`,
    );
  });
});
