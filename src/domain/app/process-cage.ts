import { z } from 'zod';

/** How processes are kept apart: by a container each, by namespaces of their own, by rules on files, or not at all. */
export const cageKinds = ['container', 'bubblewrap', 'landlock', 'none'] as const;

/** What confines a process. */
export type CageKind = (typeof cageKinds)[number];

/** What keeps a process from the rest of the machine. */
export const processCageSchema = z.object({
  kind: z.enum(cageKinds),
  /** True where its app is a user of its own. */
  ownUser: z.boolean(),
  /** False where it has no network. */
  network: z.boolean(),
});

/** The cage that a process runs in. */
export type ProcessCage = z.infer<typeof processCageSchema>;

/** What runs with all rights of the server. */
export const NO_CAGE: ProcessCage = { kind: 'none', ownUser: false, network: true };

const NAMES: Record<CageKind, string> = {
  container: 'Container',
  bubblewrap: 'Bubblewrap',
  landlock: 'Landlock',
  none: 'None',
};

/** A cage in a few words: "Bubblewrap, own user, no network". */
export function describeCage({ kind, ownUser, network }: ProcessCage): string {
  return [NAMES[kind], ...(ownUser ? ['own user'] : []), ...(network ? [] : ['no network'])].join(', ');
}
