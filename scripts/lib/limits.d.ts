export function lackOfFiles(limits?: string): string | undefined;
