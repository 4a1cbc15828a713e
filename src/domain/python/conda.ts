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
 * The pip part of an environment.yml; conda itself is not used, and what it would install is named
 * (https://docs.conda.io/projects/conda/en/latest/user-guide/tasks/manage-environments.html).
 * @param document what the YAML holds
 */
export function translateConda(document: unknown, file = 'environment.yml'): Translation {
  const dependencies: unknown[] = Array.isArray(tableOf(document).dependencies)
    ? (tableOf(document).dependencies as unknown[])
    : [];
  const lines = dependencies.flatMap((one) => textsOf(tableOf(one).pip));
  const conda = textsOf(dependencies).map((text) => {
    const [, name = '', version] = /^(?:[^:\s]*::)?([\w.-]+)\s*(.*)$/s.exec(text.trim()) ?? [];
    return { name: name.toLowerCase(), version: version ?? '' };
  });
  const asked = textOf(conda.find(({ name }) => name === 'python')?.version)?.trim() ?? '';
  const specifier = /^\d/.test(asked.replace(/^=+\s*/, '')) ? pin(asked) : asked;
  const ignored = conda.map(({ name }) => name).filter((name) => name !== '' && !ALWAYS.has(name));
  const known = ignored.filter((name) => SAME_NAME.has(name));
  const notes: string[] = [];
  if (ignored.length > 0) notes.push(`Conda packages are ignored: ${ignored.join(', ')}.`);
  if (known.length > 0)
    notes.push(`Move these to the "pip:" section of ${file}, under the same name: ${known.join(', ')}.`);
  return { lines, python: specifier === '' ? undefined : { text: asked, specifier }, notes };
}

/** conda's `=3.11` and `3.11` mean any 3.11. */
function pin(text: string): string {
  const [version = ''] = text
    .replace(/^=+\s*/, '')
    .replace(/\.\*/, '')
    .split(/[=\s]/, 1);
  return `==${version.split('.').slice(0, 2).join('.')}.*`;
}
