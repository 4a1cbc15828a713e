import { execFileSync } from 'node:child_process';

/** A wheel of one module, as a package index has it. @param code of the module, which has the package's name */
export function wheelOf(name: string, version: string, code = ''): { file: string; bytes: Buffer } {
  const [module, info] = [name.replaceAll('-', '_'), `${name.replaceAll('-', '_')}-${version}.dist-info`];
  const files = {
    [`${module}.py`]: code,
    [`${info}/METADATA`]: `Metadata-Version: 2.1\nName: ${name}\nVersion: ${version}\n`,
    [`${info}/WHEEL`]: 'Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n',
    [`${info}/RECORD`]: '',
  };
  const script = [
    'import io, json, sys, zipfile',
    'out = io.BytesIO()',
    'with zipfile.ZipFile(out, "w") as wheel:',
    '    for path, text in json.loads(sys.argv[1]).items():',
    '        wheel.writestr(path, text)',
    'sys.stdout.buffer.write(out.getvalue())',
  ].join('\n');
  return {
    file: `${module}-${version}-py3-none-any.whl`,
    bytes: execFileSync('python3', ['-c', script, JSON.stringify(files)]),
  };
}
