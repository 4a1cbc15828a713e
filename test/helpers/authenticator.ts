import { createHash, generateKeyPairSync, randomBytes, sign } from 'node:crypto';

/** What an authenticator says that differs from what it should. */
export interface Said {
  origin?: string;
  rpId?: string;
  /** False where it has not checked its person. */
  verified?: boolean;
  challenge?: string;
  userHandle?: string | undefined;
  counter?: number;
}

/** A passkey in memory. It answers as a browser does, in JSON (https://www.w3.org/TR/webauthn-3/#sctn-authenticator-data). */
export class Authenticator {
  readonly #keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  readonly #id = randomBytes(16);
  readonly #origin: string;
  #user: string | undefined;
  #counter = 0;

  /** @param origin of the page that asks */
  constructor(origin: string) {
    this.#origin = origin;
  }

  /** Makes the passkey. @param options what the page was given */
  create(options: string, said: Said = {}): string {
    const { challenge, rp, user } = JSON.parse(options) as {
      challenge: string;
      rp: { id: string };
      user: { id: string };
    };
    this.#user = user.id;
    const { x = '', y = '' } = this.#keys.publicKey.export({ format: 'jwk' });
    const point = [x, y].map((one) => Buffer.from(one, 'base64url'));
    const key = Buffer.concat([
      Buffer.from('a5010203262001215820', 'hex'),
      point[0] ?? Buffer.alloc(0),
      Buffer.from('225820', 'hex'),
      point[1] ?? Buffer.alloc(0),
    ]);
    const made = Buffer.concat([Buffer.alloc(16), Buffer.from([0, this.#id.length]), this.#id, key]);
    const data = this.#data(said.rpId ?? rp.id, 0x40, said, made);
    const attestation = Buffer.concat([
      Buffer.from('a3', 'hex'),
      ...[word('fmt'), word('none'), word('attStmt'), Buffer.from('a0', 'hex'), word('authData')],
      Buffer.from([0x58, data.length]),
      data,
    ]);
    return this.#answer({
      clientDataJSON: this.#client('webauthn.create', challenge, said).toString('base64url'),
      attestationObject: attestation.toString('base64url'),
      transports: ['internal'],
    });
  }

  /** Uses the passkey. @param options what the page was given */
  get(options: string, said: Said = {}): string {
    const { challenge, rpId } = JSON.parse(options) as { challenge: string; rpId: string };
    this.#counter += 1;
    const data = this.#data(said.rpId ?? rpId, 0, said);
    const client = this.#client('webauthn.get', challenge, said);
    const signed = Buffer.concat([data, createHash('sha256').update(client).digest()]);
    const userHandle = 'userHandle' in said ? said.userHandle : this.#user;
    return this.#answer({
      clientDataJSON: client.toString('base64url'),
      authenticatorData: data.toString('base64url'),
      signature: sign('sha256', signed, this.#keys.privateKey).toString('base64url'),
      ...(userHandle === undefined ? {} : { userHandle }),
    });
  }

  #answer(response: object): string {
    const id = this.#id.toString('base64url');
    return JSON.stringify({ id, rawId: id, type: 'public-key', clientExtensionResults: {}, response });
  }

  #client(type: string, challenge: string, said: Said): Buffer {
    const origin = said.origin ?? this.#origin;
    return Buffer.from(JSON.stringify({ type, challenge: said.challenge ?? challenge, origin, crossOrigin: false }));
  }

  #data(
    rpId: string,
    flags: number,
    { verified = true, counter = this.#counter }: Said,
    more = Buffer.alloc(0),
  ): Buffer {
    const count = Buffer.alloc(4);
    count.writeUInt32BE(counter);
    const flag = Buffer.from([flags | 1 | (verified ? 4 : 0)]);
    return Buffer.concat([createHash('sha256').update(rpId).digest(), flag, count, more]);
  }
}

/** A short text in CBOR. */
function word(text: string): Buffer {
  return Buffer.concat([Buffer.from([0x60 + text.length]), Buffer.from(text)]);
}
