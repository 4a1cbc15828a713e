export interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

export function countTests(text: string): Counts | undefined;
export function closingLine(counts: Counts): string;
export function slowestFiles(text: string, most?: number): { name: string; seconds: number }[];
