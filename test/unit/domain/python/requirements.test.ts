import { describe, expect, it } from 'vitest';
import {
  mentionsSource,
  mentionsStreamlit,
  parseRequirements,
  readRequirements,
  refuseOldStreamlit,
} from '../../../../src/domain/python/requirements.js';

describe('refuseOldStreamlit', () => {
  it.each([
    'streamlit==1.10.0',
    'Streamlit<1.18',
    'streamlit==1.17.0',
    'streamlit[x]~=1.11.1',
    'streamlit==1.10.*',
    'streamlit (<=1.11)',
    'streamlit==0.89 ; python_version > "3"',
    'streamlit==1.2 --hash=sha256:00',
  ])('refuses %j', (text) => {
    expect(() => refuseOldStreamlit(`six\n${text}\n`, 'requirements.txt')).toThrow(
      expect.objectContaining({ code: 'streamlit-too-old' }),
    );
    expect(() => refuseOldStreamlit(text, 'requirements.txt')).toThrow(
      /^requirements\.txt requires .*, but apps need Streamlit 1\.18 or newer\. Require a newer version\.$/,
    );
  });

  it.each([
    'streamlit',
    'streamlit==1.18.0',
    'streamlit>=1.0',
    'streamlit~=1.0',
    'streamlit<2',
    'streamlit==1.64',
    'streamlit-extras==0.1',
    'streamlit @ https://host/streamlit-0.1.tar.gz',
    'streamlit!=1.0',
  ])('accepts %j', (text) => {
    expect(() => refuseOldStreamlit(text, 'requirements.txt')).not.toThrow();
  });
});

describe('readRequirements', () => {
  it.each([
    ['UTF-16, as PowerShell writes it', Buffer.from('\uFEFFstreamlit\r\n', 'utf16le')],
    ['UTF-16 the other way around', Buffer.from('\uFEFFstreamlit\r\n', 'utf16le').swap16()],
    ['UTF-8 with its mark', Buffer.from('\uFEFFstreamlit\r\n')],
    ['what a comment names', Buffer.from('# -*- coding: latin-1 -*-\nstreamlit # \u00e9\n', 'latin1')],
  ])('reads %s, as pip does', (_what, bytes) => {
    expect(mentionsStreamlit(readRequirements(bytes))).toBe(true);
  });

  it('reads UTF-8', () => {
    expect(readRequirements(Buffer.from('streamlit # é\n'))).toBe('streamlit # é\n');
  });

  it.each([
    ['a binary file', Buffer.from([0x50, 0x4b, 3, 4, 0, 0]), /not a text file/],
    ['half of UTF-16', Buffer.from([0xff, 0xfe, 0x73]), /not valid UTF-16LE/],
    ['latin1', Buffer.from('streamlit # é', 'latin1'), /not valid UTF-8/],
  ])('refuses %s with its own sentence', (_what, bytes, sentence) => {
    expect(() => readRequirements(bytes)).toThrow(sentence);
    expect(() => readRequirements(bytes)).toThrow(
      expect.objectContaining({ code: 'requirements-unreadable', kind: 'invalid' }),
    );
  });
});

describe('mentionsStreamlit', () => {
  it.each([
    'streamlit',
    'Streamlit==1.64.0',
    'streamlit[snowflake]>=1.40',
    'streamlit ; python_version > "3.9"',
    'streamlit~=1.0 # ui',
    '\uFEFFstreamlit\r\n',
    'streamlit@https://host/streamlit-1.0-py3-none-any.whl',
    'streamlit @ git+https://host/streamlit',
    'six\nstreamlit<2',
    'streamlit (>=1.0)',
    'streamlit \\\n  ==1.64',
    'streamlit==1.64 --hash=sha256:00',
    'https://host/streamlit-1.64.0-py3-none-any.whl',
  ])('is true for %j', (text) => {
    expect(mentionsStreamlit(text)).toBe(true);
  });

  it.each([
    '',
    '# streamlit',
    'streamlit-extras',
    'streamlit_aggrid==1.0',
    'streamlitt',
    'six # streamlit',
    '-r streamlit',
    '-c streamlit.txt',
    'my-streamlit',
    './streamlit',
    '--find-links streamlit',
    'streamlit.extras',
  ])('is false for %j', (text) => {
    expect(mentionsStreamlit(text)).toBe(false);
  });
});

describe('mentionsSource', () => {
  it.each([
    '-e .',
    '--editable=./pkg',
    '.',
    '.[dev]',
    './libs/foo',
    '../foo',
    'libs/foo-1.0-py3-none-any.whl',
    'foo-1.0-py3-none-any.whl',
    'foo @ file:///x/foo',
    'foo @ ./foo',
    'file:./foo',
    '--find-links wheels',
    '-f ./wheels',
    'foo-1.0.tar.gz',
    '-e file:./foo',
  ])('is true for %j', (text) => {
    expect(mentionsSource(text)).toBe(true);
  });

  it.each([
    'six',
    'six==1.17 ; sys_platform == "linux"',
    '-e git+https://host/x#egg=x',
    'git+https://host/x',
    '-f https://host/wheels',
    '-r base.txt',
    '--pre',
    '# ./foo',
    'foo @ https://host/foo.whl',
    'zope.interface',
  ])('is false for %j', (text) => {
    expect(mentionsSource(text)).toBe(false);
  });
});

describe('parseRequirements', () => {
  it('finds included files, in every notation', () => {
    const text = '-r a.txt\n-rb.txt\n--requirement c.txt\n--requirement=d.txt\n-c e.txt\n--constraint  f.txt # why\n';
    expect(parseRequirements(text).map((line) => (line.kind === 'include' ? line.target : line.text))).toEqual([
      'a.txt',
      'b.txt',
      'c.txt',
      'd.txt',
      'e.txt',
      'f.txt',
    ]);
  });

  it('skips lines without meaning', () => {
    expect(parseRequirements('\n# note\n  six   ==  1.17 \r\n\r\n').map(({ text }) => text)).toEqual(['six == 1.17']);
  });

  it('keeps a # that is part of a URL', () => {
    expect(parseRequirements('git+https://host/x#egg=x').map(({ text }) => text)).toEqual(['git+https://host/x#egg=x']);
  });
});
