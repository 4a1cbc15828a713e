// A new app from files: dropped or chosen, sent with progress. The page of the deploy shows the rest.
import { base, headers } from './page.js';
import { word } from './words.js';

const ARCHIVE = /\.(?:zip|tar\.gz|tgz)$/i;
/** Folders and files that tools leave in a project, and that no app needs. */
const LEFT_OUT =
  /(?:^|\/)(?:\.git|\.hg|__pycache__|\.venv|venv|env|node_modules|\.mypy_cache|\.pytest_cache|\.idea|\.vscode)\/|(?:^|\/)(?:\.DS_Store|Thumbs\.db)$|\.pyc$/;
/** Files that hold secrets (src/lib/left-out.ts). */
const SECRETS = /(^|\/)(\.env(\.(?!example$|sample$|template$|dist$)[^/]+)?|\.streamlit\/secrets\.toml)$/;

export function uploads() {
  const form = document.querySelector('form[data-upload]');
  if (form !== null && form.querySelector('[data-drop]') !== null) new Uploader(form);
  for (const name of document.querySelectorAll('[data-name]')) followName(name);
}

/** Shows the URL of the typed name in the git commands. */
function followName(input) {
  const places = [...document.querySelectorAll('[data-git-url]')].map((place) => [place, place.textContent]);
  const show = () => {
    const id = input.value
      .normalize('NFKD')
      .replace(/\p{Mark}/gu, '')
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, '-')
      .slice(0, 50)
      .replace(/^-+|-+$/g, '');
    for (const [place, before] of places)
      place.textContent = id.length > 1 ? before.replace(/[^/]+\.git$/, `${id}.git`) : before;
  };
  input.addEventListener('input', show);
  show();
}

class Uploader {
  #form;
  #files = new Map();
  /** Files with secrets, which are not uploaded. */
  #heldBack = [];
  #archive;
  #drop;

  constructor(form) {
    this.#form = form;
    this.#drop = form.querySelector('[data-drop]');
    this.#drop.querySelector('[data-drop-lead]').hidden = false;
    const folder = this.#drop.querySelector('[data-pick-folder]');
    folder.hidden = !('webkitdirectory' in document.createElement('input'));
    for (const input of this.#drop.querySelectorAll('[data-pick]')) {
      input.addEventListener('change', () => {
        this.#take([...input.files].map((file) => ({ path: file.webkitRelativePath || file.name, file })));
        input.value = '';
      });
    }
    for (const type of ['dragenter', 'dragover']) {
      this.#drop.addEventListener(type, (event) => {
        event.preventDefault();
        this.#drop.classList.add('over');
      });
    }
    for (const type of ['dragleave', 'drop'])
      this.#drop.addEventListener(type, () => this.#drop.classList.remove('over'));
    this.#drop.addEventListener('drop', (event) => {
      event.preventDefault();
      // The list is emptied when this handler returns, so the entries are copied at once.
      const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry?.()).filter((entry) => entry);
      const plain = [...event.dataTransfer.files].map((file) => ({ path: file.name, file }));
      const found =
        entries.length > 0 ? Promise.all(entries.map(walk)).then((lists) => lists.flat()) : Promise.resolve(plain);
      found.then(
        (files) => this.#take(files),
        (error) => this.#fail(word('filesUnreadable', { reason: error.message })),
      );
    });
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#send();
    });
  }

  #take(found) {
    const wanted = found.filter(({ path }) => !LEFT_OUT.test(path));
    const files = wanted.filter(({ path }) => !SECRETS.test(path));
    this.#heldBack = wanted.filter(({ path }) => SECRETS.test(path)).map(({ path }) => path);
    const [only] = files;
    if (files.length === 1 && ARCHIVE.test(only.file.name)) {
      this.#archive = only.file;
      this.#files.clear();
    } else {
      this.#archive = undefined;
      for (const { path, file } of withoutTop(files)) this.#files.set(path, file);
    }
    const name = this.#form.querySelector('#name');
    if (name.value === '') {
      name.value = this.#archive?.name.replace(ARCHIVE, '') ?? topOf(files) ?? '';
      name.dispatchEvent(new window.Event('input'));
    }
    this.#show();
  }

  #show() {
    const list = this.#form.querySelector('[data-picked]');
    const items =
      this.#archive !== undefined
        ? [[this.#archive.name, this.#archive]]
        : [...this.#files].sort(([a], [b]) => (a < b ? -1 : 1));
    list.hidden = items.length === 0;
    list.replaceChildren(...items.slice(0, 200).map(([path, file]) => row(path, bytes(file.size))));
    if (items.length > 200) list.append(row(word('andMore', { count: items.length - 200 }), ''));
    for (const path of this.#heldBack) list.append(row(path, word('heldBack')));
    if (items.length > 0) list.append(this.#clearButton());
  }

  #clearButton() {
    const item = document.createElement('li');
    const button = document.createElement('button');
    button.type = 'button';
    button.className = 'small';
    button.textContent = word('clear');
    button.addEventListener('click', () => {
      this.#files.clear();
      this.#archive = undefined;
      this.#show();
    });
    item.append(button);
    return item;
  }

  #send() {
    const body = new FormData();
    body.append('name', this.#form.querySelector('#name').value);
    const description = this.#form.querySelector('#description').value;
    if (description !== '') body.append('description', description);
    if (this.#archive !== undefined) body.append('archive', this.#archive, this.#archive.name);
    else if (this.#files.size > 0) for (const [path, file] of this.#files) body.append('files', file, path);
    else return this.#fail(word('chooseFiles'));

    const button = this.#form.querySelector('[data-upload-send]');
    const request = new XMLHttpRequest();
    request.open('POST', `${base}/api/apps`);
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.upload.addEventListener('progress', (event) => {
      if (event.lengthComputable)
        this.#progress(
          event.loaded / event.total,
          word('uploadingPart', { done: bytes(event.loaded), all: bytes(event.total) }),
        );
    });
    request.upload.addEventListener('load', () => this.#progress(undefined, word('committing')));
    request.addEventListener('error', () => this.#fail(word('uploadLost')));
    request.addEventListener('load', () => {
      const answer = parse(request.responseText);
      if (request.status !== 201)
        return this.#fail(answer.detail ?? answer.title ?? word('status', { status: request.status }), answer.field);
      const deploy = answer.deploy?.release;
      const app = `${base}/console/apps/${encodeURIComponent(answer.id)}`;
      location.assign(Number.isInteger(deploy) ? `${app}/deploys/${deploy}` : app);
    });
    button.disabled = true;
    this.#progress(0, word('uploading'));
    document.querySelector('#new-error')?.remove();
    request.send(body);
  }

  #progress(share, text) {
    const section = document.querySelector('[data-progress]');
    section.hidden = false;
    const bar = section.querySelector('progress');
    if (share === undefined) bar.removeAttribute('value');
    else bar.value = share;
    section.querySelector('[data-progress-text]').textContent = text;
  }

  #fail(text, field) {
    document.querySelector('[data-progress]').hidden = true;
    this.#form.querySelector('[data-upload-send]').disabled = false;
    document.querySelector('#new-error')?.remove();
    const notice = document.createElement('p');
    notice.id = 'new-error';
    notice.className = 'notice bad';
    notice.setAttribute('role', 'alert');
    notice.textContent = text;
    this.#form.before(notice);
    for (const input of this.#form.querySelectorAll('[aria-invalid]')) input.removeAttribute('aria-invalid');
    const wrong = field === 'name' || field === 'description' ? this.#form.querySelector(`#${field}`) : null;
    wrong?.setAttribute('aria-invalid', 'true');
    wrong?.setAttribute('aria-describedby', 'new-error');
    wrong?.focus();
    notice.scrollIntoView({ block: 'nearest' });
  }
}

/** Returns all files of a dropped entry with their paths. */
async function walk(entry) {
  const path = entry.fullPath.replace(/^\//, '');
  if (LEFT_OUT.test(entry.isDirectory ? `${path}/` : path)) return [];
  if (entry.isFile) return [{ path, file: await new Promise((resolve, reject) => entry.file(resolve, reject)) }];
  const reader = entry.createReader();
  const found = [];
  for (;;) {
    // A reader returns a hundred entries at a time, and none at the end.
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) return found;
    for (const child of some) found.push(...(await walk(child)));
  }
}

/** Returns the one folder that contains everything, if there is one. */
function topOf(files) {
  const [first] = files;
  const top = first?.path.includes('/') ? first.path.slice(0, first.path.indexOf('/')) : undefined;
  return top !== undefined && files.every(({ path }) => path.startsWith(`${top}/`)) ? top : undefined;
}

/** A project is what is in its folder, not the folder; `pages` alone is a part of one. */
function withoutTop(files) {
  const top = topOf(files);
  if (top === undefined || top === 'pages' || top === '.streamlit') return files;
  return files.map(({ path, file }) => ({ path: path.slice(top.length + 1), file }));
}

function row(text, note) {
  const item = document.createElement('li');
  const name = document.createElement('span');
  name.textContent = text;
  const small = document.createElement('small');
  small.textContent = note;
  item.append(name, small);
  return item;
}

function bytes(count) {
  if (count < 1_000) return `${count} B`;
  return count < 1_000_000 ? `${Math.round(count / 1_000)} kB` : `${(count / 1_000_000).toFixed(1)} MB`;
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    // Not our answer: it is from a proxy.
    return {};
  }
}
