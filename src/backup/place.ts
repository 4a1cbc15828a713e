/** How S3 is reached, in the names that its own tools use. */
export interface S3Access {
  keyId: string;
  secret: string;
  sessionToken?: string | undefined;
  region: string;
  /** The URL of the service, where it is not Amazon's. */
  endpoint?: string | undefined;
}

/** A place in S3: `s3://bucket/prefix`. */
export interface S3Place {
  bucket: string;
  /** Without "/" at its ends; may be empty. */
  key: string;
}

/** What is wrong with the URL of a place in S3 that `parsePlace` does not take; follows the URL or its name. */
export const PLACE_RULE = 'must be s3://bucket or s3://bucket/prefix, with a valid bucket name';

/** Whether a place is meant to be in S3; `parsePlace` says whether it can be. */
export function isInS3(text: string): boolean {
  return text.startsWith('s3://');
}

/** @returns undefined for anything but the URL of a place in S3 */
export function parsePlace(text: string): S3Place | undefined {
  const match = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/(.*))?$/.exec(text);
  const [, bucket, key = ''] = match ?? [];
  // URLs resolve these: they would lead out of the bucket.
  const leads = key.split('/').some((part) => part === '.' || part === '..');
  return bucket === undefined || leads ? undefined : { bucket, key: key.replace(/^\/+|\/+$/g, '') };
}

/** How S3 is reached, from the variables that its own tools read; undefined where they are not set. */
export function s3Access(env: Readonly<Record<string, string | undefined>>): S3Access | undefined {
  const { AWS_ACCESS_KEY_ID: keyId, AWS_SECRET_ACCESS_KEY: secret } = env;
  if (keyId === undefined || keyId === '' || secret === undefined || secret === '') return undefined;
  return {
    keyId,
    secret,
    sessionToken: env.AWS_SESSION_TOKEN,
    region: env.AWS_REGION ?? env.AWS_DEFAULT_REGION ?? 'us-east-1',
    endpoint: env.AWS_ENDPOINT_URL_S3 ?? env.AWS_ENDPOINT_URL,
  };
}
