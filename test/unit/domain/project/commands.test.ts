import { describe, expect, it } from 'vitest';
import {
  dpkgPackages,
  gitCheckoutIndex,
  gitEnvironment,
  gitReadTree,
  pipInstall,
  uvExport,
  uvInstall,
  uvPythons,
  uvVenv,
} from '../../../../src/domain/project/commands.js';

const COMMIT = 'a'.repeat(40);

describe('the commands of a build', () => {
  it('accept only a full commit id as a commit', () => {
    expect(gitReadTree('/r.git', COMMIT).at(-1)).toBe(COMMIT);
    for (const commit of ['main', '--output=/x', COMMIT.slice(1), `${COMMIT}\n`, COMMIT.toUpperCase()]) {
      expect(() => gitReadTree('/r.git', commit)).toThrow('not a full commit id');
    }
  });

  it('keep hooks, filters and machine settings away from git', () => {
    const argv = gitCheckoutIndex('/r.git', '/to');
    expect(argv).toEqual(
      expect.arrayContaining(['core.hooksPath=/dev/null', 'filter.lfs.smudge=', '--git-dir=/r.git', '--work-tree=/to']),
    );
    expect(gitEnvironment('/bin')).toMatchObject({
      PATH: '/bin',
      GIT_CONFIG_GLOBAL: '/dev/null',
      GIT_CONFIG_NOSYSTEM: '1',
    });
  });

  it('install a requirements file and additional packages into one Python', () => {
    expect(uvVenv('/uv', '/python', '/env')).toEqual([
      '/uv',
      'venv',
      '--quiet',
      '--relocatable',
      '--no-project',
      '--python',
      '/python',
      '/env',
    ]);
    const what = {
      python: '/env/bin/python',
      requirements: 'requirements.txt',
      more: ['streamlit'],
      builds: false,
    };
    expect(uvInstall('/uv', what, ['--no-index'])).toEqual([
      '/uv',
      'pip',
      'install',
      '--python',
      '/env/bin/python',
      '--no-build',
      '--no-index',
      '-r',
      'requirements.txt',
      'streamlit',
    ]);
    expect(uvInstall('/uv', { ...what, builds: true })).not.toContain('--no-build');
    expect(pipInstall({ ...what, more: [] }).slice(-4)).toEqual(['--only-binary', ':all:', '-r', 'requirements.txt']);
    expect(pipInstall({ ...what, builds: true })).not.toContain('--only-binary');
  });

  it('download no Python, use no index for a lock, and contain no app name', () => {
    expect(uvPythons('/uv')).toEqual(['/uv', 'python', 'list', '--only-installed', '--no-python-downloads']);
    expect(uvExport('/uv', '/source', '/python', '/out.txt')).toEqual(
      expect.arrayContaining([
        'export',
        '--frozen',
        '--offline',
        '--no-dev',
        '--no-emit-project',
        '/source',
        '/out.txt',
      ]),
    );
    const member = { name: 'dash', isPackage: true };
    expect(uvExport('/uv', '/source', '/python', '/out.txt', member)).toContain('--package=dash');
    expect(uvExport('/uv', '/source', '/python', '/out.txt', member)).not.toContain('--no-emit-project');
    expect(dpkgPackages()).toHaveLength(4);
  });
});
