/** How many parts of paths are followed for all links of a tree together; more than that lead nowhere that anybody meant. */
const MAX_STEPS = 5_000_000;

/** Linux itself gives up after so many links (https://man7.org/linux/man-pages/man7/path_resolution.7.html). */
const MAX_FOLLOWED = 40;

/** A place in the tree that is a link, or on the way to one. */
interface Place {
  below: Map<string, Place>;
  target?: string;
}

/** The symbolic links of a tree. */
export class Links {
  readonly #targets: ReadonlyMap<string, string>;
  readonly #root: Place = { below: new Map() };
  #steps = 0;

  /** @param targets every link of the tree with its target */
  constructor(targets: ReadonlyMap<string, string>) {
    this.#targets = targets;
    for (const [path, target] of targets) {
      let place = this.#root;
      for (const part of path.split('/')) {
        const next: Place = place.below.get(part) ?? { below: new Map() };
        place.below.set(part, next);
        place = next;
      }
      place.target = target;
    }
  }

  /** The first link that leads outside of the tree, with its target. */
  outside(): { path: string; target: string } | undefined {
    for (const [path, target] of this.#targets) if (this.leadsOutside(path)) return { path, target };
    return undefined;
  }

  /** Returns whether following a path leaves the tree, at any step of the way, or never ends. */
  leadsOutside(path: string): boolean {
    const todo = path.split('/').reverse();
    const at: (Place | undefined)[] = [this.#root];
    let followed = 0;
    for (let part = todo.pop(); part !== undefined; part = todo.pop()) {
      this.#steps += 1;
      if (this.#steps > MAX_STEPS) return true;
      if (part === '' || part === '.') continue;
      if (part === '..') {
        at.pop();
        if (at.length === 0) return true;
        continue;
      }
      const place = at.at(-1)?.below.get(part);
      if (place?.target === undefined) {
        at.push(place);
        continue;
      }
      followed += 1;
      if (place.target.startsWith('/') || followed > MAX_FOLLOWED) return true;
      for (const one of place.target.split('/').reverse()) todo.push(one);
    }
    return false;
  }
}
