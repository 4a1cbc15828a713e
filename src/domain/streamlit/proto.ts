// Streamlit speaks protobuf (https://protobuf.dev/programming-guides/encoding/). The few messages that are needed are
// written and read by hand: a field keeps its number for ever, so this fits every version of Streamlit.

/** One field of a message. */
export interface Field {
  number: number;
  /** A text or another message; empty for a number. */
  bytes: Buffer;
  /** 0 where it is not a number. */
  value: number;
}

/** The fields of a message, as far as it is whole. */
export function* fieldsOf(message: Buffer): Iterable<Field> {
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let shift = 0; at < message.length; shift += 7) {
      const byte = message[at++] ?? 0;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) break;
    }
    return value;
  };
  while (at < message.length) {
    const tag = varint();
    const number = Math.floor(tag / 8);
    const wire = tag % 8;
    if (wire === 0) {
      yield { number, bytes: Buffer.alloc(0), value: varint() };
      continue;
    }
    const length = wire === 2 ? varint() : wire === 1 ? 8 : 4;
    yield { number, bytes: message.subarray(at, at + length), value: 0 };
    at += length;
  }
}

/** A field within fields, by their numbers; the first of each. */
export function pick(message: Buffer, ...numbers: number[]): Field | undefined {
  let found: Field | undefined = { number: 0, bytes: message, value: 0 };
  for (const number of numbers) found = found && [...fieldsOf(found.bytes)].find((one) => one.number === number);
  return found;
}

/** The text of a field within fields; empty where it is not there. */
export function textOf(message: Buffer, ...numbers: number[]): string {
  return pick(message, ...numbers)?.bytes.toString('utf8') ?? '';
}

/** A field of text, or of another message. */
export function field(number: number, content: string | Buffer): Buffer {
  const bytes = typeof content === 'string' ? Buffer.from(content) : content;
  return Buffer.concat([varint(number * 8 + 2), varint(bytes.length), bytes]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return Buffer.from([...bytes, rest]);
    bytes.push((rest % 128) | 0x80);
  }
}
