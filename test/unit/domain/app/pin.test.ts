import { expect, it } from 'vitest';
import { parsePin, pinText } from '../../../../src/domain/app/pin.js';

it('the first replica of a release has the address that a release with one process has', () => {
  expect(pinText({ release: 3, replica: 1 })).toBe('3');
  expect(pinText({ release: 3, replica: 2 })).toBe('3-2');
  expect(parsePin('3')).toEqual({ release: 3, replica: 1 });
  expect(parsePin('3-1')).toEqual({ release: 3, replica: 1 });
  expect(parsePin('999999999-999999')).toEqual({ release: 999_999_999, replica: 999_999 });
});

it('a text that is not a pin is refused', () => {
  for (const text of ['', '0', '-1', '3-', '3-0', '3-02', '03', '3-2-1', '3 ', '3.1', '1234567890', '3-1234567'])
    expect(parsePin(text), text).toBeUndefined();
});
