import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import Handlebars from 'handlebars';
import { describe, expect, it } from 'vitest';
import { en } from '../../../../src/web/messages/en.js';
import { english, Words, wordsOf, type Plural } from '../../../../src/web/messages/messages.js';
import { zhCN } from '../../../../src/web/messages/zh-CN.js';
import { sentences } from '../../../../src/web/messages/zh-CN-sentences.js';

const ROOT = join(import.meta.dirname, '../../../..');
const messages: Record<string, string | Plural> = en;
const chinese = await wordsOf('zh-CN');

function filesIn(folder: string, pattern: RegExp): { name: string; text: string }[] {
  return readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && pattern.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .map((path) => ({ name: relative(ROOT, path), text: readFileSync(path, 'utf8') }));
}

const templates = filesIn('templates', /\.hbs$/);
const sources = filesIn('src', /\.ts$/);
const scripts = filesIn('public/js', /\.js$/);

/** The names of the values in a message, and the tags around them, in alphabetical order. */
function partsOf(message: string): string[] {
  return Array.from(message.matchAll(/\{\w+\}|<\/?\w+>/g), ([part]) => part).sort();
}

/** Every use of a message in a template, with the names of its values. */
const uses = templates.flatMap(({ name, text }) => {
  const found: { name: string; key: string; values: string[] }[] = [];
  const take = ({ path, params, hash }: hbs.AST.MustacheStatement | hbs.AST.SubExpression): void => {
    const [key] = params;
    if ('original' in path && path.original === 't' && key?.type === 'StringLiteral')
      // The grammar makes no hash where there is none, whatever the types say.
      found.push({
        name,
        key: (key as hbs.AST.StringLiteral).value,
        values: ((hash as hbs.AST.Hash | undefined)?.pairs ?? []).map((pair) => pair.key),
      });
  };
  class Visitor extends Handlebars.Visitor {
    override MustacheStatement(mustache: hbs.AST.MustacheStatement): void {
      take(mustache);
      super.MustacheStatement(mustache);
    }

    override SubExpression(expression: hbs.AST.SubExpression): void {
      take(expression);
      super.SubExpression(expression);
    }
  }
  new Visitor().accept(Handlebars.parse(text));
  return found;
});

describe('the messages', () => {
  it('are the same in every language, with the same values and tags', () => {
    expect(Object.keys(zhCN)).toEqual(Object.keys(en));
    for (const [key, message] of Object.entries(messages)) {
      const text = typeof message === 'string' ? message : message.other;
      expect(partsOf(zhCN[key as keyof typeof zhCN]), key).toEqual(partsOf(text));
    }
  });

  it('are all used, and no other is', () => {
    const code = [...sources.filter(({ name }) => !/\/(?:en|zh-CN|zh-CN-sentences)\.ts$/.test(name)), ...scripts]
      .map(({ text }) => text)
      .join('\n');
    const literal = new Set(Array.from(code.matchAll(/'([\w.-]+)'/g), ([, text = '']) => text));
    const groups = Array.from(code.matchAll(/\.t\(`([\w.]+\.)\$\{/g), ([, group = '']) => group);
    const inScripts = Array.from(
      scripts.flatMap(({ text }) => Array.from(text.matchAll(/\bword\('(\w+)'/g), ([, key = '']) => `browser.${key}`)),
    );
    const inApps = scripts
      .filter(({ name }) => /\/(?:frame|release)\.js$/.test(name))
      .flatMap(({ text }) => Array.from(text.matchAll(/\bwords\.(\w+)/g), ([, key = '']) => `visit.${key}`));
    const used = new Set([...uses.map(({ key }) => key), ...inScripts, ...inApps]);
    const unused = Object.keys(en).filter(
      (key) => !used.has(key) && !literal.has(key) && !groups.some((group) => key.startsWith(group)),
    );
    if (TO_COME.size === 0) expect(unused).toEqual([]);
    expect([...used].filter((key) => !Object.hasOwn(en, key))).toEqual([]);
  });

  it('get exactly their values from templates', () => {
    for (const { name, key, values } of uses) {
      const message = messages[key] ?? '';
      const text = typeof message === 'string' ? message : `${message.other}{count}`;
      const needed = new Set(Array.from(text.matchAll(/\{(\w+)\}/g), ([, value = '']) => value));
      if (text.includes('<a>')) needed.add('href');
      expect([...new Set(values)].sort(), `${name}: ${key}`).toEqual([...needed].sort());
    }
  });

  it('that are whole sentences have the same values in Chinese', () => {
    for (const [sentence, text] of Object.entries(sentences))
      expect(partsOf(text), sentence).toEqual(partsOf(sentence));
  });

  it('in Chinese have full-width punctuation, and a space between Han and other letters', () => {
    const han = '\\p{Script=Han}';
    for (const [key, text] of [...Object.entries(zhCN), ...Object.entries(sentences)]) {
      const plain = text.replace(/<[^>]+>/g, '');
      expect(plain, key).not.toMatch(new RegExp(`${han}[,;:!?]|${han}\\.$|[.,]${han}`, 'u'));
      expect(plain, key).not.toMatch(new RegExp(`${han}[A-Za-z0-9{]|[A-Za-z0-9}%]${han}`, 'u'));
    }
  });
});

describe('a message', () => {
  it('takes its values as text, and one of its forms by the count', () => {
    expect([0, 1, 2].map((count) => english.t('count.apps', { count }))).toEqual(['0 apps', '1 app', '2 apps']);
    expect([1, 2].map((count) => chinese.t('count.apps', { count }))).toEqual(['1 个应用', '2 个应用']);
    expect(english.t('verb.rollbackTo', { number: 3 })).toBe('rolled back to release 3');
  });

  it('as HTML escapes its values and keeps its own tags', () => {
    const evil = '<b>"&{name}';
    expect(english.html('gallery.noTagged', { tag: evil, href: '/"x' })).toBe(
      'No apps tagged “&lt;b&gt;&quot;&amp;{name}”. <a href="/&quot;x">See all apps</a>',
    );
    expect(english.html('login.noToken', {})).toContain('<code>streamlit-host token</code>');
    expect(english.html('openApp.wrong', {})).toBe('Wrong password.');
    const safe = new Handlebars.SafeString('<time>now</time>');
    expect(english.html('gallery.favourite', { name: safe })).toBe('Favourite: <time>now</time>');
  });

  it('is an error where it is unknown or lacks a value', () => {
    expect(() => english.html('gallery.nothing', {})).toThrow('there is no message "gallery.nothing"');
    expect(() => english.html('toString', {})).toThrow('there is no message');
    expect(() => english.html('gallery.favourite', {})).toThrow('lacks its value "name"');
  });
});

describe('a sentence that was made in English', () => {
  const words = new Words('zh-CN', zhCN, {
    'The app is going.': '应用正在删除。',
    'There is no app "{id}".': '没有应用“{id}”。',
    '{name} (a+b) has {count}.': '{count} 属于 {name}。',
  });

  it('is translated with its values, in whatever order they are', () => {
    expect(words.sentence('The app is going.')).toBe('应用正在删除。');
    expect(words.sentence('There is no app "a{id}.b".')).toBe('没有应用“a{id}.b”。');
    expect(words.sentence('Sales (a+b) has 3.')).toBe('3 属于 Sales。');
  });

  it('has values that are English too', () => {
    const said = (text: string): string => chinese.sentence(text);
    expect(said('The token "ci" expired on 2026-01-01. Create a new one.')).toBe(
      '令牌“ci”已失效（于 2026-01-01 过期）。请创建新令牌。',
    );
    expect(said('uv took longer than 3 min 5 s and was stopped.')).toBe('uv 运行超过 3 分钟 5 秒，已被停止。');
    expect(said('You are a viewer of sales. Only its owners can do this. Ask an owner for that role.')).toBe(
      '你在 sales 中的角色是查看者，而此操作需要所有者角色。请向所有者申请该角色。',
    );
    expect(
      said(
        'No requirements.txt or other dependency file in dash/ or the project root. Add a requirements.txt that lists the packages the app imports, such as streamlit. setup.py is read by an install of the project; add a requirements.txt with the line ".".',
      ),
    ).toBe(
      'dash/、项目根目录中没有 requirements.txt 或其他依赖文件。请添加 requirements.txt，列出应用导入的软件包，例如 streamlit。setup.py 在安装项目时才会读取；请添加 requirements.txt，写入一行“.”。',
    );
  });

  it('keeps the words of a program as they are', () => {
    expect(chinese.sentence('uv failed with exit code 2: error: no such thing.')).toBe(
      'uv 失败，退出码 2：error: no such thing。',
    );
    expect(chinese.sentence('The requirements cannot be met: a<1 depends on b>2.')).toBe(
      '无法满足依赖要求：a<1 depends on b>2。',
    );
  });

  it('stays English if nobody has translated it', () => {
    expect(words.sentence('There is no app.')).toBe('There is no app.');
    expect(words.sentence('constructor')).toBe('constructor');
    expect(english.sentence('The app is going.')).toBe('The app is going.');
  });
});

/** Pages whose sentences are still in their templates. */
const TO_COME = new Set<string>();

/** What is read by people in a template, without what is code and what Handlebars puts there. */
function textsOf(template: string): string[] {
  const bare = template
    .replace(/<pre><code>[\s\S]*?<\/code><\/pre>/g, '')
    .replace(/\{\{!--[\s\S]*?--\}\}/g, '')
    .replace(/\{\{#?>?[^{}]*\}\}/g, (tag) => {
      const own = Array.from(tag.matchAll(/\b(?:title|label|hint)="([^"]+)"/g), ([, text = '']) => text);
      const counted = /^\{\{count /.test(tag) ? ['count'] : [];
      return [...own, ...counted].map((text) => `\u0000${text}\u0000`).join('');
    });
  const attributes = Array.from(
    bare.matchAll(/\s(?:title|placeholder|aria-label|alt|label)="([^"]*)"/g),
    ([, text = '']) => text,
  );
  const between = bare.replace(/<(?:"[^"]*"|[^">])*>/g, '\u0000').split('\u0000');
  return [...between, ...attributes]
    .map((text) => text.replace(/&\w+;|&#\d+;/g, '').trim())
    .filter((text) => /\p{Letter}{2}/u.test(text) && !NAMES.has(text));
}

/** Names and code, the same in every language. */
const NAMES = new Set([
  'streamlit-host',
  '· streamlit-host',
  'openapi.json',
  'app.py',
  'pages/2_Map.py',
  'main',
  'API_KEY',
  'API_KEY=…REGION=north',
  '[db]password = …',
]);

describe('a template', () => {
  it.each(templates.map(({ name, text }) => ({ name: name.replace(/^templates\/|\.hbs$/g, ''), text })))(
    'has no sentence of its own: $name',
    ({ name, text }) => {
      if (TO_COME.has(name)) expect(textsOf(text)).not.toEqual([]);
      else expect(textsOf(text)).toEqual([]);
    },
  );
});
