import { randomBytes } from 'node:crypto';

export interface FormFile {
  field: string;
  name: string;
  type: string;
  content: AsyncIterable<Uint8Array>;
}

/**
 * Creates a multipart form with one file as a stream, so nothing is held in memory. Characters that could end a
 * header early are removed from names and values.
 * @see https://www.rfc-editor.org/rfc/rfc7578
 */
export function formOf(
  fields: Record<string, string>,
  file: FormFile,
): { boundary: string; body: AsyncIterable<Uint8Array> } {
  const boundary = `streamlit-host-${randomBytes(16).toString('hex')}`;
  return { boundary, body: body() };

  async function* body(): AsyncGenerator<Uint8Array> {
    for (const [name, value] of Object.entries(fields)) {
      yield bytes(`--${boundary}\r\ncontent-disposition: form-data; name="${quoted(name)}"\r\n\r\n${value}\r\n`);
    }
    const names = `name="${quoted(file.field)}"; filename="${quoted(file.name)}"`;
    yield bytes(`--${boundary}\r\ncontent-disposition: form-data; ${names}\r\ncontent-type: ${file.type}\r\n\r\n`);
    yield* file.content;
    yield bytes(`\r\n--${boundary}--\r\n`);
  }
}

function quoted(text: string): string {
  return text.replace(/[\r\n"]/g, (character) => encodeURIComponent(character));
}

function bytes(text: string): Uint8Array {
  return Buffer.from(text, 'utf8');
}
