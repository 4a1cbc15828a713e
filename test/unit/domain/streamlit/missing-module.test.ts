import { describe, expect, it } from 'vitest';
import { missingModule, namesPackage, packageOf } from '../../../../src/domain/streamlit/missing-module.js';

describe('the module that a script is missing', () => {
  it('is the one at the end of its traceback', () => {
    const lines = ['Traceback (most recent call last):', '  File "app.py", line 2, in <module>', '    import seaborn'];
    expect(missingModule([...lines, "ModuleNotFoundError: No module named 'seaborn'"])).toBe('seaborn');
    expect(missingModule([...lines, "  ModuleNotFoundError: No module named 'cv2'", '', 'a later line'])).toBe('cv2');
  });

  it.each([
    ["ModuleNotFoundError: No module named 'seaborn'", 'ValueError: no such column'],
    ["ImportError: cannot import name 'x' from 'seaborn'"],
    // Its package is there, and has no such part.
    ["ModuleNotFoundError: No module named 'pandas.nothing'"],
    // No package of this name would help.
    ["ModuleNotFoundError: No module named 'distutils'"],
    ["ModuleNotFoundError: No module named 'google'"],
    ["ModuleNotFoundError: No module named '_tkinter'"],
    ['No output at all'],
    [],
  ])('is not found in %j', (...lines) => {
    expect(missingModule(lines)).toBeUndefined();
  });

  it.each([
    ['seaborn', 'seaborn'],
    ['sklearn', 'scikit-learn'],
    ['cv2', 'opencv-python-headless'],
    ['PIL', 'pillow'],
    ['yaml', 'PyYAML'],
    ['bs4', 'beautifulsoup4'],
    ['dateutil', 'python-dateutil'],
    ['constructor', 'constructor'],
  ])('%s comes with the package %s', (module, name) => {
    expect(packageOf(module)).toBe(name);
  });

  it.each([
    ['streamlit\nSeaborn>=0.13  # plots\n', 'seaborn', true],
    ['python.dateutil==2.9\n', 'python-dateutil', true],
    ['dependencies = ["pyyaml"]', 'PyYAML', true],
    ['seaborn-image\nmy-seaborn\n', 'seaborn', false],
    ['', 'seaborn', false],
  ])('is looked for in the list %j as %s: %s', (list, name, there) => {
    expect(namesPackage(list, name)).toBe(there);
  });
});
