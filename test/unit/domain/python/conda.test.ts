import { describe, expect, it } from 'vitest';
import { translateConda } from '../../../../src/domain/python/conda.js';

describe('translateConda', () => {
  it('takes the pip section, and says which conda packages are ignored and where to put them', () => {
    const document = {
      name: 'x',
      channels: ['conda-forge'],
      dependencies: ['python=3.11', 'pip', 'conda-forge::numpy>=2', 'gdal=3.8', { pip: ['streamlit==1.64.0', 'six'] }],
    };
    expect(translateConda(document)).toEqual({
      lines: ['streamlit==1.64.0', 'six', 'numpy>=2'],
      python: { text: '=3.11', specifier: '==3.11.*' },
      notes: [
        'Installed from the package index instead of conda: numpy.',
        'Conda packages are ignored: gdal. Add what the app imports to the "pip:" section of environment.yml.',
      ],
    });
  });

  it.each([
    ['streamlit=1.67', ['streamlit==1.67.*']],
    ['streamlit 1.67', ['streamlit==1.67.*']],
    ['streamlit=1.67.0=pyhd8ed1ab_0', ['streamlit==1.67.0']],
    ['streamlit==1.67.0', ['streamlit==1.67.0']],
    ['conda-forge::streamlit>=1.50,<2', ['streamlit>=1.50,<2']],
    ['streamlit', ['streamlit']],
    ['streamlit=1.6|1.7', ['streamlit']],
  ])('installs %j as %j', (text, lines) => {
    expect(translateConda({ dependencies: [text] }).lines).toEqual(lines);
  });

  it.each([
    ['python', undefined],
    ['python>=3.10,<3.13', '>=3.10,<3.13'],
    ['python==3.12.1', '==3.12.*'],
    ['python 3.10.*', '==3.10.*'],
  ])('of %j returns %s', (text, specifier) => {
    expect(translateConda({ dependencies: [text] }).python?.specifier).toBe(specifier);
  });

  it.each([undefined, null, 'text', [], { dependencies: 'x' }, { dependencies: [null, 3, { pip: 'x' }] }])(
    'returns nothing for %j',
    (document) => {
      expect(translateConda(document)).toEqual({ lines: [], python: undefined, notes: [] });
    },
  );
});
