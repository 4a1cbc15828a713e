import { packageName } from './requirements.js';
import { tableOf, textOf, textsOf, type Translation } from './wanted.js';

/** Packages that have the same name on the package index as with conda, and that apps often need. */
const SAME_NAME = new Set(
  (
    'altair beautifulsoup4 bokeh boto3 duckdb folium fsspec geopandas joblib jinja2 keras lightgbm lxml matplotlib networkx ' +
    'nltk numpy openpyxl pandas pillow plotly polars psycopg2 pyarrow pydantic pymongo pyyaml requests scikit-image ' +
    'scikit-learn scipy seaborn shapely spacy sqlalchemy statsmodels streamlit sympy tensorflow tqdm transformers xgboost ' +
    'xlsxwriter'
  ).split(' '),
);

/** What conda brings along that an environment has anyway. */
const ALWAYS = new Set(['python', 'pip', 'setuptools', 'wheel']);

/**
 * The pip part of an environment.yml, and what of its conda part has the same name on the package index; conda itself is not
 * used, and what only it has is named
 * (https://docs.conda.io/projects/conda/en/latest/user-guide/tasks/manage-environments.html).
 * @param document what the YAML holds
 */
export function translateConda(document: unknown, file = 'environment.yml'): Translation {
  const dependencies: unknown[] = Array.isArray(tableOf(document).dependencies)
    ? (tableOf(document).dependencies as unknown[])
    : [];
  const listed = dependencies.flatMap((one) => textsOf(tableOf(one).pip));
  const conda = textsOf(dependencies).map((text) => {
    const [, name = '', version] = /^(?:[^:\s]*::)?([\w.-]+)\s*(.*)$/s.exec(text.trim()) ?? [];
    return { name: name.toLowerCase(), version: version ?? '' };
  });
  const asked = textOf(conda.find(({ name }) => name === 'python')?.version)?.trim() ?? '';
  const specifier = /^\d/.test(asked.replace(/^=+\s*/, '')) ? pin(asked) : asked;
  const names = new Set(listed.map((line) => packageName(/^[\w.-]*/.exec(line)?.[0] ?? '')));
  const others = conda.filter(({ name }) => name !== '' && !ALWAYS.has(name));
  const known = others.filter(({ name }) => SAME_NAME.has(name));
  const ignored = others.filter(({ name }) => !SAME_NAME.has(name)).map(({ name }) => name);
  const lines = [
    ...listed,
    ...known.filter(({ name }) => !names.has(name)).map(({ name, version }) => `${name}${versionOf(version)}`),
  ];
  const notes: string[] = [];
  if (known.length > 0)
    notes.push(`Installed from the package index instead of conda: ${known.map(({ name }) => name).join(', ')}.`);
  if (ignored.length > 0)
    notes.push(
      `Conda packages are ignored: ${ignored.join(', ')}. Add what the app imports to the "pip:" section of ${file}.`,
    );
  return { lines, python: specifier === '' ? undefined : { text: asked, specifier }, notes };
}

/** A version in conda's words: `=1.67` and `1.67` are any 1.67, and a build behind a second "=" names one. */
function versionOf(text: string): string {
  const [, version = '', build] = /^=?\s*(\d[\w.]*)(?:\.\*)?(?:[=\s]+([\w.*]+))?$/.exec(text.trim()) ?? [];
  if (version !== '') return build === undefined || build === '*' ? `==${version}.*` : `==${version}`;
  return /^([<>!~]=?|==)\s*\d[\w.*]*(\s*,\s*([<>!~]=?|==)\s*\d[\w.*]*)*$/.test(text.trim()) ? text.trim() : '';
}

/** conda's `=3.11` and `3.11` mean any 3.11. */
function pin(text: string): string {
  const [version = ''] = text
    .replace(/^=+\s*/, '')
    .replace(/\.\*/, '')
    .split(/[=\s]/, 1);
  return `==${version.split('.').slice(0, 2).join('.')}.*`;
}
