import { describe, expect, it } from 'vitest';
import { fitted, nearest, within } from '../src/lib/embeddings';

describe('points on a plane', () => {
  const points = fitted({ x: [0, 10, 20], y: [0, 5, 10] });

  it('keep their proportions, and up is up', () => {
    expect([...points.x]).toEqual([0, 0.5, 1]);
    expect([...points.y]).toEqual([0.75, 0.5, 0.25]);
  });

  it('are found in a rectangle and by nearness', () => {
    expect(within(points, { left: 0.4, right: 1, top: 0, bottom: 0.6 })).toEqual([1, 2]);
    expect(within(points, { left: 0.1, right: 0.2, top: 0, bottom: 1 })).toEqual([]);
    expect(nearest(points, 0.52, 0.5, 0.1)).toBe(1);
    expect(nearest(points, 0.25, 0.5, 0.1)).toBe(-1);
  });

  it('that are all one lie in the middle', () => {
    expect([...fitted({ x: [3, 3], y: [1, 1] }).x]).toEqual([0.5, 0.5]);
  });
});
