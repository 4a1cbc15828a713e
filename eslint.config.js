import js from '@eslint/js';
import tseslint from 'typescript-eslint';

export default tseslint.config(
  { ignores: ['dist/', 'node_modules/', 'data/', 'coverage/', 'test/artifacts/', 'test/fixtures/public-apps/'] },
  js.configs.recommended,
  {
    files: ['src/**/*.ts', 'test/**/*.ts', 'bench/**/*.ts', '*.ts'],
    extends: [...tseslint.configs.recommendedTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': [
        'error',
        { checksVoidReturn: { arguments: false, attributes: false } },
      ],
      '@typescript-eslint/require-await': 'off',
      'no-empty': ['error', { allowEmptyCatch: false }],
    },
  },
  {
    // One reader of the process environment, src/settings.ts, which main hands it to. A stray read elsewhere is a setting nobody can find.
    files: ['src/**/*.ts'],
    ignores: ['src/settings.ts', 'src/server/run.ts', 'src/cli/**'],
    rules: {
      'no-restricted-properties': [
        'error',
        { object: 'process', property: 'env', message: 'Settings are read in src/settings.ts only.' },
      ],
    },
  },
  {
    files: ['src/**/*.ts'],
    rules: {
      'no-restricted-syntax': [
        'error',
        {
          selector: "MemberExpression[object.name='URL'][property.name='canParse']",
          message: 'Its answer may differ from that of new URL. Use lib/parse-url.ts.',
        },
        {
          selector:
            "VariableDeclarator[id.name=/^(deadline|end|began|begun|since)$/] CallExpression[callee.object.name='Date'][callee.property.name='now']",
          message: 'The time of day jumps where a clock is set. Use lib/deadline.ts, or performance.now().',
        },
      ],
    },
  },
  {
    files: ['src/**/*.ts'],
    // The two that make sure by themselves, and the command line, which starts little.
    ignores: ['src/lib/spawn.ts', 'src/store/git-process.ts', 'src/cli/**'],
    rules: {
      '@typescript-eslint/no-restricted-imports': [
        'error',
        {
          name: 'node:child_process',
          importNames: ['exec', 'execFile', 'fork', 'spawn'],
          message: 'Node leaves pipes open where no more files can be opened. Use lib/spawn.ts.',
        },
      ],
    },
  },
  {
    // An object that needs one made later is a circle; it subscribes to that one instead. So no callback may look ahead either.
    files: ['src/server/**/*.ts'],
    rules: {
      '@typescript-eslint/no-use-before-define': ['error', { functions: false, classes: false, variables: true }],
    },
  },
  {
    files: ['scripts/**/*.js', 'bench/**/*.js', 'hooks/*', '*.js', '*.cjs'],
    languageOptions: {
      globals: {
        process: 'readonly',
        console: 'readonly',
        URL: 'readonly',
        Buffer: 'readonly',
        setTimeout: 'readonly',
        clearTimeout: 'readonly',
        setInterval: 'readonly',
        clearInterval: 'readonly',
        AbortController: 'readonly',
        AbortSignal: 'readonly',
        fetch: 'readonly',
        FormData: 'readonly',
        Blob: 'readonly',
        performance: 'readonly',
      },
    },
  },
  {
    // Scripts of apps, which run in pages and workers.
    files: ['test/fixtures/**/*.js'],
    rules: { 'no-undef': 'off' },
  },
  {
    files: ['public/**/*.js'],
    languageOptions: {
      globals: {
        window: 'readonly',
        document: 'readonly',
        location: 'readonly',
        history: 'readonly',
        navigator: 'readonly',
        fetch: 'readonly',
        EventSource: 'readonly',
        FormData: 'readonly',
        XMLHttpRequest: 'readonly',
        setTimeout: 'readonly',
        clearTimeout: 'readonly',
        setInterval: 'readonly',
        clearInterval: 'readonly',
        requestAnimationFrame: 'readonly',
        URL: 'readonly',
        URLSearchParams: 'readonly',
        HTMLElement: 'readonly',
        CustomEvent: 'readonly',
        localStorage: 'readonly',
        sessionStorage: 'readonly',
        console: 'readonly',
        AbortController: 'readonly',
        Intl: 'readonly',
        matchMedia: 'readonly',
        MutationObserver: 'readonly',
        Node: 'readonly',
        Element: 'readonly',
        Request: 'readonly',
      },
    },
  },
);
