/** Devices of the machine. */
export interface Devices {
  /** Files, and folders of them. */
  paths: readonly string[];
  /** The groups that may use them, where that is not root's. */
  groups: readonly number[];
}

/** All that a command may reach in addition to the system's folders. Every path is absolute. */
export interface Confines {
  /** The Python that puts on the last of the cage: one of the machine's own, never one that an app could have written. */
  python: string;
  /** Files and folders that it may read and execute; those that are missing are left out. */
  readOnly: readonly string[];
  /** Folders that it may write as well; those that are missing are left out. */
  writable: readonly string[];
  /** Where its temporary files go where it cannot have a `/tmp` of its own; one of the folders that it may write. */
  tmp: string;
  /** The user that it becomes, with a group of the same number, where the server may choose. */
  uid?: number | undefined;
  /** Which rights its new files lack; all but its own unless told. */
  umask?: number | undefined;
  /** True where it may use sockets that have a path, which Landlock by itself does not hide. */
  unixSockets?: boolean | undefined;
  /** True where it may make user namespaces, as the sandbox of a browser does. */
  userNamespaces?: boolean | undefined;
  /** False where it has no network, not even the machine's own; only bubblewrap can see to that. */
  network?: boolean | undefined;
  /** What it may use in addition to what everybody has, such as `/dev/null`. */
  devices?: Devices | undefined;
  /** What is special about some of these paths. */
  parts?: Parts | undefined;
}

/** What some of the paths of an app are, for a runtime whose machines do not have them. */
export interface Parts {
  /** The Python environment: the same under this name for ever, except that bytecode is added. */
  environment: string;
  /** The file that the app's Python runs first. */
  launcher: string;
  /** Folders of which it needs only what its order names. */
  ordered: readonly string[];
  /** The folder that it keeps its own files in. */
  storage: string;
}

/** What is to run in a cage. */
export interface CageSpec extends Confines {
  /** argv of what runs; its first word is a path. */
  command: readonly string[];
  cwd: string;
  /** The whole environment of what runs. */
  environment: Readonly<Record<string, string>>;
  /** True where it is handed a listening socket, on the descriptor behind that of the order. */
  listener?: boolean;
}

/** What the machine is like, as far as a cage depends on it. */
export interface Machine {
  /** True where the server may become any user. */
  root: boolean;
  /** The place of bubblewrap. */
  bubblewrap: string;
  /** The place of `python/cage.py`. */
  inner: string;
  /** Folders that stay hidden, whatever lies around them: the server's own data. */
  hidden: readonly string[];
  system: {
    /** Top folders that are links, with where they lead (`/lib` → `usr/lib`). */
    links: ReadonlyMap<string, string>;
    /** The system's folders that are none. */
    folders: readonly string[];
    /** What everybody may read of them, for a process that stays root and has no mounts of its own. */
    readable: readonly string[];
  };
}

/** What is started instead of the command. */
export interface Caged {
  command: string[];
  /** What its last step reads from a descriptor, and answers once the cage is closed. */
  order: string;
  /** How many processes stand between the one that is started and the one that runs the command. */
  around: 0 | 2;
}

/** The folders above a path, the outermost first, without the root. */
export function parentsOf(path: string): string[] {
  const parts = path.split('/').filter((part) => part !== '');
  return parts.slice(0, -1).map((_, place) => `/${parts.slice(0, place + 1).join('/')}`);
}
