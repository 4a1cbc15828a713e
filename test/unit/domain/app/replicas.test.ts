import { expect, it } from 'vitest';
import { newApp } from '../../../../src/domain/app/app.js';
import { MAX_REPLICAS, replicasOf, replicasSchema, withReplicas } from '../../../../src/domain/app/replicas.js';

it('an app has one process unless more are wanted', () => {
  expect(replicasOf({})).toBe(1);
  expect(replicasOf({ replicas: 3 })).toBe(3);
});

it('an app may have from 1 to 16 processes', () => {
  for (const good of [1, 2, MAX_REPLICAS]) expect(replicasSchema.parse(good)).toBe(good);
  for (const bad of [0, -1, 1.5, MAX_REPLICAS + 1, '3', true, null])
    expect(replicasSchema.safeParse(bad).error?.issues[0]?.message, String(bad)).toBe(
      'must be a whole number from 1 to 16',
    );
});

it('an app with a single process is recorded as apps have always been', () => {
  const app = newApp('shop', 'Shop', new Date(0));
  expect(withReplicas(app, 3)).toEqual({ ...app, replicas: 3 });
  expect(withReplicas(withReplicas(app, 3), 1)).toStrictEqual(app);
});
