// Who may import whom. The imports run one way: the shell knows the core, never the other way round.
const allowed = {
  domain: [],
  store: ['domain', 'logs'],
  logs: ['domain'],
  build: ['logs', 'domain'],
  runtime: ['logs', 'domain'],
  gateway: ['store', 'domain'],
  deploy: ['build', 'runtime', 'gateway', 'store', 'logs', 'domain'],
  git: ['deploy', 'store', 'logs', 'domain'],
  web: ['deploy', 'store', 'logs', 'domain'],
  cli: [],
};
const folders = Object.keys(allowed);

module.exports = {
  forbidden: [
    { name: 'no-circular', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'nobody-imports-main',
      severity: 'error',
      from: { pathNot: '^(src/main|test|bench)' },
      to: { path: '^src/main\\.ts$' },
    },
    {
      name: 'only-main-reads-config',
      severity: 'error',
      comment: 'Settings are handed down as values.',
      from: { path: '^src/', pathNot: '^src/(main|config)\\.ts$' },
      to: { path: '^src/config\\.ts$', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'forward-owns-the-proxy-library',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/gateway/forward\\.ts$' },
      to: { path: 'node_modules/httpxy' },
    },
    ...folders.map((folder) => ({
      name: `${folder}-imports`,
      severity: 'error',
      comment: `${folder} may import ${['itself', ...allowed[folder]].join(', ')}`,
      from: { path: `^src/${folder}/` },
      to: { path: `^src/(${folders.filter((f) => f !== folder && !allowed[folder].includes(f)).join('|')})/` },
    })),
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'types', 'node'],
      extensions: ['.ts', '.js'],
    },
  },
};
