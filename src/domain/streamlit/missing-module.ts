import { packageName } from '../python/requirements.js';

/** Packages whose name is not that of the module that they install. */
const PACKAGES = new Map(
  Object.entries({
    attr: 'attrs',
    bs4: 'beautifulsoup4',
    Crypto: 'pycryptodome',
    cv2: 'opencv-python-headless',
    dateutil: 'python-dateutil',
    docx: 'python-docx',
    dotenv: 'python-dotenv',
    fitz: 'pymupdf',
    git: 'GitPython',
    jose: 'python-jose',
    jwt: 'PyJWT',
    magic: 'python-magic',
    MySQLdb: 'mysqlclient',
    OpenSSL: 'pyOpenSSL',
    PIL: 'pillow',
    pkg_resources: 'setuptools',
    pptx: 'python-pptx',
    psycopg2: 'psycopg2-binary',
    serial: 'pyserial',
    skimage: 'scikit-image',
    sklearn: 'scikit-learn',
    slugify: 'python-slugify',
    umap: 'umap-learn',
    yaml: 'PyYAML',
  }),
);

/** Modules that no package of the same name brings: shared by many packages, or gone from Python itself. */
const NOT_PACKAGES = new Set(
  (
    'aifc asynchat asyncore audioop azure cgi cgitb chunk crypt distutils google imghdr imp lib2to3 mailcap nntplib pipes ' +
    'sndhdr spwd sunau telnetlib tkinter uu xdrlib'
  ).split(' '),
);

/**
 * The module that a script imported and Python did not find, by the last lines of its traceback.
 * @returns its top-level name; undefined where the script failed for another reason, or no package would help
 * @see https://docs.python.org/3/library/exceptions.html#ModuleNotFoundError
 */
export function missingModule(lines: readonly string[]): string | undefined {
  const last = lines.findLast((line) => /^\s*[\w.]*(?:Error|Exception)\b/.test(line)) ?? '';
  const name = /^\s*ModuleNotFoundError: No module named '([A-Za-z]\w*)'\s*$/.exec(last)?.[1];
  return name === undefined || NOT_PACKAGES.has(name) ? undefined : name;
}

/** The package that a module comes with, as far as its name tells. */
export function packageOf(module: string): string {
  return PACKAGES.get(module) ?? module;
}

/** True where a list of packages has the name of one anywhere. */
export function namesPackage(list: string, name: string): boolean {
  return new RegExp(`(?<![\\w-])${packageName(name)}(?![\\w-])`).test(packageName(list));
}
