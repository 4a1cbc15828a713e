import { createHash } from 'node:crypto';
import { buffer } from 'node:stream/consumers';

/** The image of every container. */
const REPOSITORY = 'streamlit-host-frame';

/** An image that Docker can make of an archive. */
export interface Frame {
  repository: string;
  tag: string;
  archive(): Promise<Buffer>;
}

/**
 * The image of every container: the links of the machine's top folder, and nothing else. All files are the machine's own and
 * are mounted, so nothing is built or downloaded, and an update of the machine reaches the apps at their next start.
 * @param links top folders that are links, with where they lead (`/lib` → `usr/lib`)
 */
export function frameOf(links: ReadonlyMap<string, string>): Frame {
  const sorted = [...links].sort(([one], [other]) => (one < other ? -1 : 1));
  const tag = createHash('sha256').update(JSON.stringify(sorted)).digest('hex').slice(0, 12);
  const archive = async (): Promise<Buffer> => {
    const { pack } = await import('tar-stream');
    const tar = pack();
    for (const [link, target] of sorted) tar.entry({ name: link.slice(1), type: 'symlink', linkname: target });
    // Docker makes no image of nothing.
    tar.entry({ name: 'run', type: 'directory', mode: 0o755 });
    tar.finalize();
    return buffer(tar);
  };
  return { repository: REPOSITORY, tag, archive };
}
