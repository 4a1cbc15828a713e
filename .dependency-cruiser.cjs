// Who may import whom. The imports run one way, from the doors down to the domain; docs/architecture.md draws this table.
const allowed = {
  lib: [],
  domain: ['lib'],
  logs: ['domain', 'lib'],
  store: ['logs', 'domain', 'lib'],
  runtime: ['logs', 'domain', 'lib'],
  redis: ['runtime', 'domain', 'lib'],
  backup: ['lib'],
  environments: ['runtime', 'logs', 'domain', 'lib'],
  gateway: ['store', 'domain', 'lib'],
  'app-config': ['store', 'logs', 'domain', 'lib'],
  serving: ['app-config', 'gateway', 'runtime', 'store', 'logs', 'domain', 'lib'],
  metrics: ['serving', 'gateway', 'runtime', 'store', 'logs', 'domain', 'lib'],
  alerts: ['metrics', 'serving', 'runtime', 'store', 'domain', 'lib'],
  drains: ['store', 'logs', 'domain', 'lib'],
  deploys: ['serving', 'app-config', 'environments', 'runtime', 'store', 'logs', 'domain', 'lib'],
  apps: ['deploys', 'serving', 'app-config', 'gateway', 'store', 'logs', 'domain', 'lib'],
  'in-place': ['apps', 'deploys', 'serving', 'runtime', 'store', 'logs', 'domain', 'lib'],
  host: ['in-place', 'apps', 'deploys', 'serving', 'app-config', 'store', 'logs', 'domain', 'lib'],
  pictures: ['host', 'runtime', 'store', 'domain', 'lib'],
  git: ['host', 'apps', 'deploys', 'runtime', 'store', 'logs', 'domain', 'lib'],
  web: [
    'backup',
    'alerts',
    'drains',
    'host',
    'metrics',
    'in-place',
    'apps',
    'deploys',
    'store',
    'logs',
    'domain',
    'lib',
  ],
  cli: ['web', 'backup', 'runtime', 'lib'],
  server: undefined,
};
const rooms = Object.keys(allowed);
const forbidden = (room) => rooms.filter((other) => other !== room && !allowed[room].includes(other));

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
      name: 'every-file-has-a-room',
      severity: 'error',
      comment: 'Beside the rooms stand main, settings, errors and logger alone.',
      from: { path: `^src/(?!(${rooms.join('|')})/|(main|settings|errors|logger)\\.ts$)` },
      to: {},
    },
    {
      name: 'only-main-reads-settings',
      severity: 'error',
      comment: 'Settings are handed down as values.',
      from: { path: '^src/', pathNot: '^src/(server/run|settings)\\.ts$' },
      to: { path: '^src/settings\\.ts$', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'cli-takes-only-types-of-web',
      severity: 'error',
      comment: 'The command line shares the types of the API and loads none of its code, so that it starts at once.',
      from: { path: '^src/cli/' },
      to: { path: '^src/web/', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'cli-takes-only-the-api-of-web',
      severity: 'error',
      from: { path: '^src/cli/' },
      to: { path: '^src/web/(?!api/)' },
    },
    {
      name: 'cli-knows-processes-alone',
      severity: 'error',
      comment: 'It looks whether the server of this machine runs, and runs no apps itself.',
      from: { path: '^src/cli/' },
      to: { path: '^src/runtime/', pathNot: '^src/runtime/process/proc\\.ts$' },
    },
    {
      name: 'git-ends-groups-alone',
      severity: 'error',
      comment: 'It ends what a killed git has left running, and runs no apps itself.',
      from: { path: '^src/git/' },
      to: { path: '^src/runtime/', pathNot: '^src/runtime/process/group\\.ts$' },
    },
    {
      name: 'forward-owns-the-proxy-library',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/gateway/forward\\.ts$' },
      to: { path: 'node_modules/httpxy' },
    },
    ...rooms
      .filter((room) => allowed[room] !== undefined)
      .map((room) => ({
        name: `${room}-imports`,
        severity: 'error',
        comment: `${room} may import ${['itself', ...allowed[room]].join(', ')}`,
        from: { path: `^src/${room}/` },
        to: { path: `^src/(${forbidden(room).join('|')})/` },
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
