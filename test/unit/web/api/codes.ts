/** The codes that the document lists for an operation. */
export function codesIn(operation: unknown): string[] {
  const text = JSON.stringify((operation as { responses: { default: unknown } }).responses.default);
  return JSON.parse(/"enum":(\[[^\]]*\])/.exec(text)?.[1] ?? '[]') as string[];
}
