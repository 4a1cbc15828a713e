export function packageOf(file: string): string | undefined;
export function licencesOf(folders: Iterable<string>, mit: string): string;
