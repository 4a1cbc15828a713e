import type { Context } from './context.js';
import { usage } from './failures.js';

/** A verb, for shell completion. */
export interface Verb {
  name: string;
  summary: string;
  /** The kind of its first argument. */
  takes: 'app' | 'folder' | 'shell' | undefined;
  /** The actions that can follow the app. */
  actions: readonly string[];
  options: { short: string | undefined; long: string; summary: string }[];
}

/** The shells that completion can be printed for. */
export const SHELLS = ['bash', 'zsh', 'fish'] as const;

/** The hidden command that lists all apps for completion. */
export const LIST_APPS = '__apps';

/** Prints the script that completes verbs, options and app ids in a shell. */
export async function completion(cli: Context, shell: string, verbs: readonly Verb[]): Promise<void> {
  switch (shell) {
    case 'bash':
      return cli.out.write(bash(verbs));
    case 'zsh':
      return cli.out.write(zsh(verbs));
    case 'fish':
      return cli.out.write(fish(verbs));
    default:
      throw usage(`Unknown shell "${shell}". Supported: ${SHELLS.join(', ')}.`);
  }
}

/** Prints the ids of all apps, one per line. A shell expands what it reads, so only valid ids are printed. */
export async function listApps(cli: Context): Promise<void> {
  const api = await cli.api();
  for (const { id } of await api.apps()) if (/^[a-z0-9][a-z0-9-]*$/.test(id)) cli.out.print(id);
}

function bash(verbs: readonly Verb[]): string {
  const cases = verbs.map(({ name, takes, actions, options }) => {
    const words = [...optionWords(options), ...actions, ...(takes === 'shell' ? SHELLS : [])].join(' ');
    const apps = takes === 'app' ? ` $(streamlit-host ${LIST_APPS} 2>/dev/null)` : '';
    const folders = takes === 'folder' ? ' folders=1' : '';
    return `    ${name}) words="${words}${apps}"${folders} ;;`;
  });
  return `# bash completion for streamlit-host: source <(streamlit-host completion bash)
_streamlit_host() {
  local current=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD-1]} verb='' words='' folders='' i
  COMPREPLY=()
  if [[ $before == --token-file ]]; then COMPREPLY=($(compgen -f -- "$current")); return; fi
  for ((i = 1; i < COMP_CWORD; i++)); do
    case \${COMP_WORDS[i]} in
      --url | --token-file) ((i++)) ;;
      -*) ;;
      *) verb=\${COMP_WORDS[i]}; break ;;
    esac
  done
  case $verb in
    '') words="${verbs.map((verb) => verb.name).join(' ')}" ;;
${cases.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
  if [[ -n $folders ]]; then COMPREPLY+=($(compgen -d -- "$current")); fi
}
complete -F _streamlit_host streamlit-host
`;
}

function zsh(verbs: readonly Verb[]): string {
  const names = verbs.map(({ name, summary }) => `    ${quote(`${name}:${summary}`)}`);
  const cases = verbs.map(({ name, takes, actions, options }) => {
    const parts = [`compadd -- ${[...optionWords(options), ...actions].join(' ')}`];
    if (takes === 'app') parts.unshift(`compadd -- \${(f)"$(streamlit-host ${LIST_APPS} 2>/dev/null)"}`);
    if (takes === 'folder') parts.unshift('_files -/');
    if (takes === 'shell') parts.unshift(`compadd -- ${SHELLS.join(' ')}`);
    return `    ${name}) ${parts.join('; ')} ;;`;
  });
  return `#compdef streamlit-host
# zsh completion for streamlit-host: source <(streamlit-host completion zsh), after compinit
_streamlit_host() {
  local -a verbs
  verbs=(
${names.join('\n')}
  )
  if (( CURRENT == 2 )); then _describe 'verb' verbs; return; fi
  case $words[2] in
${cases.join('\n')}
  esac
}
compdef _streamlit_host streamlit-host
`;
}

function fish(verbs: readonly Verb[]): string {
  const lines = verbs.flatMap(({ name, summary, takes, actions, options }) => {
    const seen = `complete -c streamlit-host -n '__fish_seen_subcommand_from ${name}'`;
    return [
      `complete -c streamlit-host -f -n __fish_use_subcommand -a ${name} -d ${quote(summary)}`,
      ...(takes === 'app' ? [`${seen} -f -a '(streamlit-host ${LIST_APPS} 2>/dev/null)'`] : []),
      ...(actions.length > 0 ? [`${seen} -f -a '${actions.join(' ')}'`] : []),
      ...(takes === 'shell' ? [`${seen} -f -a '${SHELLS.join(' ')}'`] : []),
      ...(takes === 'folder' ? [`${seen} -f -a '(__fish_complete_directories)'`] : []),
      ...options.map(
        ({ short, long, summary: about }) =>
          `${seen} ${short === undefined ? '' : `-s ${short.slice(1)} `}-l ${long.slice(2)} -d ${quote(about)}`,
      ),
    ];
  });
  return `# fish completion for streamlit-host: streamlit-host completion fish | source\n${lines.join('\n')}\n`;
}

function optionWords(options: Verb['options']): string[] {
  return options.flatMap(({ short, long }) => (short === undefined ? [long] : [short, long]));
}

/** Quotes a word for a shell, in single quotes. In fish too, a backslash outside of them escapes a quote. */
function quote(text: string): string {
  return `'${text.replace(/'/g, `'\\''`)}'`;
}
