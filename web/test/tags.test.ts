import { describe, expect, it } from 'vitest';
import { indexesOf, maskOf } from '../src/lib/tags';

describe('masks of tags', () => {
  it('read and write the same samples', () => {
    for (const indexes of [[], [0], [3, 4], [0, 1, 2, 3], [63, 64, 1000]]) expect(indexesOf(maskOf(indexes))).toEqual(indexes);
  });
  it('are hex without zeros in front, the first sample last', () => {
    expect(maskOf([0, 4])).toBe('0x11');
    expect(maskOf([])).toBe('0x0');
    expect(indexesOf('0x8000000000000001')).toEqual([0, 63]);
  });
});
