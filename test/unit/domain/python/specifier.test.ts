import { satisfies as reference } from '@renovatebot/pep440';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  compareVersions,
  endsBelow,
  fromPoetry,
  isSpecifier,
  satisfies,
} from '../../../../src/domain/python/specifier.js';

describe('satisfies', () => {
  it.each([
    ['3.11.4', '', true],
    ['3.11.4', '>=3.10,<3.12', true],
    ['3.12.0', '>=3.10,<3.12', false],
    ['3.11.4', '==3.11.*', true],
    ['3.1.4', '==3.11.*', false],
    ['3.11.4', '==3.11', false],
    ['3.11.0', '==3.11', true],
    ['3.11.4', '~=3.10', true],
    ['3.11.4', '~=3.10.1', false],
    ['3.11.4', '!=3.11.*', false],
    ['3.11.4', '>3.11', true],
    ['3.11.4', '<= 3.11.4', true],
    ['3.11.4', 'nonsense', false],
  ])('of %s and %j is %s', (version, specifier, met) => {
    expect(satisfies(version, specifier)).toBe(met);
  });

  it('accepts the version itself, and versions with the same prefix', () => {
    const version = fc.array(fc.nat(40), { minLength: 2, maxLength: 4 });
    fc.assert(
      fc.property(version, (parts) => {
        const text = parts.join('.');
        expect(satisfies(text, `==${text}`) && satisfies(text, `>=${text}`) && satisfies(text, `~=${text}`)).toBe(true);
        expect(satisfies(text, `==${parts.slice(0, -1).join('.')}.*`)).toBe(true);
        expect(satisfies(text, `<${text}`)).toBe(false);
        expect(compareVersions(text, text)).toBe(0);
      }),
    );
  });
});

describe('satisfies, for releases,', () => {
  const number = fc.nat(4);
  // The library does not fill up a version that is shorter than a prefix: it finds that 3 is not ==3.0.*.
  const version = fc.array(number, { minLength: 4, maxLength: 4 }).map((parts) => parts.join('.'));
  const release = fc.array(number, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('.'));
  const clause = fc.oneof(
    fc.tuple(fc.constantFrom('==', '!=', '<=', '>=', '<', '>'), release).map((parts) => parts.join('')),
    fc.tuple(fc.constantFrom('==', '!='), release).map(([operator, version]) => `${operator}${version}.*`),
    fc.array(number, { minLength: 2, maxLength: 4 }).map((parts) => `~=${parts.join('.')}`),
  );

  it('agrees with a complete implementation of PEP 440', () => {
    fc.assert(
      fc.property(version, fc.array(clause, { minLength: 1, maxLength: 3 }), (version, clauses) => {
        const specifier = clauses.join(',');
        expect(satisfies(version, specifier), `${version} ${specifier}`).toBe(reference(version, specifier));
      }),
      { numRuns: 500 },
    );
  });

  it.each([
    ['3', '==3.0.*'],
    ['3.11.4', '*'],
    ['3.11.4', '>=3.10,'],
    ['3.11.4', '>=3.9.*'],
    ['3.13.0rc1', '>=3.13'],
    ['3.14.0a1+', '>=3.13'],
  ])('also accepts %s for %j, which the library does not', (version, specifier) => {
    expect(satisfies(version, specifier)).toBe(true);
  });
});

describe('endsBelow', () => {
  it.each([
    ['<1.12', true],
    ['<1.13', false],
    ['==1.11.*', true],
    ['==1.*', false],
    ['~=1.11.0', true],
    ['~=1.11', false],
    ['<=1.11.9', true],
    ['>=0.1', false],
    ['', false],
    ['nonsense', false],
  ])('1.12, of %j is %s', (specifier, below) => {
    expect(endsBelow(specifier, '1.12')).toBe(below);
  });
});

describe('fromPoetry', () => {
  it.each([
    ['^1.2.3', '>=1.2.3,<2'],
    ['^0.2.3', '>=0.2.3,<0.3'],
    ['^0.0.3', '>=0.0.3,<0.0.4'],
    ['^0', '>=0,<1'],
    ['^3.10', '>=3.10,<4'],
    ['~1.2.3', '>=1.2.3,<1.3'],
    ['~1', '>=1,<2'],
    ['1.2.3', '==1.2.3'],
    ['1.2.*', '==1.2.*'],
    ['*', ''],
    ['>=3.10,<3.13', '>=3.10,<3.13'],
    ['>= 3.10 <4', '>=3.10,<4'],
    ['~=1.2', '~=1.2'],
    ['!=1.5', '!=1.5'],
    ['^3.8 || ^3.11', undefined],
    ['latest', undefined],
    ['^', undefined],
  ])('of %j is %j', (text, specifier) => {
    expect(fromPoetry(text)).toBe(specifier);
  });

  it('returns what pip understands, or nothing, and ends for any text', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom('^', '~', '=', '>', '<', '1', '2', '.', ',', ' ', '*', 'x', '|') }),
        (text) => {
          const specifier = fromPoetry(text);
          expect(specifier === undefined || isSpecifier(specifier)).toBe(true);
        },
      ),
    );
  });
});
