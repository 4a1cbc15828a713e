/** Files that say to other tools what a project depends on, and what to do about each. */
const FOREIGN: readonly (readonly [file: RegExp, advice: string])[] = [
  [/^pylock(\.[^.]+)?\.toml$/i, 'is not read here; list the packages, with their versions, in a requirements.txt'],
  [/^pixi\.(toml|lock)$/i, 'is not read here; list its Python packages in a requirements.txt'],
  [/^(setup\.py|setup\.cfg)$/i, 'is read by an install of the project; add a requirements.txt with the line "."'],
  [/^conda-lock\.ya?ml$/i, 'is not read here; push the environment.yml that it was made from'],
  [/^pdm\.lock$/i, 'is not read here; push the pyproject.toml too, or a requirements.txt made with "pdm export"'],
];

/**
 * Names the first file in a folder that another tool takes its packages from.
 * @param paths the files of the project
 * @param start the folder, empty or with a "/" at its end
 * @returns a sentence, undefined where there is no such file
 */
export function adviceOnLists(paths: readonly string[], start: string): string | undefined {
  const names = paths.filter((path) => path.startsWith(start)).map((path) => path.slice(start.length));
  for (const [file, advice] of FOREIGN) {
    const name = names.find((one) => file.test(one));
    if (name !== undefined) return `${name} ${advice}.`;
  }
  return undefined;
}
