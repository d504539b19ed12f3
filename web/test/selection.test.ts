import { describe, expect, it } from 'vitest';
import { matches } from '../src/lib/sort/objects';
import { Selection } from '../src/lib/sort/selection.svelte';

const IDS = [10, 11, 12, 13, 14];

describe('selection', () => {
  it('toggles, extends and inverts', () => {
    const selection = new Selection(() => IDS);
    selection.toggle(1);
    selection.extendTo(3);
    expect(selection.targets()).toEqual([11, 12, 13]);
    selection.invert();
    expect(selection.targets()).toEqual([10, 14]);
    selection.all();
    expect(selection.size).toBe(5);
  });
  it('is the one under the cursor when nothing is chosen', () => {
    const selection = new Selection(() => IDS);
    selection.move(99, false);
    expect(selection.targets()).toEqual([14]);
    selection.move(2, true);
    expect(selection.targets()).toEqual([12, 13, 14]);
  });
  it('keeps the earlier ones under a rubber band with Ctrl', () => {
    const selection = new Selection(() => IDS);
    selection.replace([10, 11], new Set());
    selection.replace([13], new Set([10]));
    expect(selection.targets()).toEqual([10, 13]);
  });
});

describe('matches', () => {
  it('takes a space or a star for anything', () => {
    expect(matches('Pluteus<Echinoidea', 'plu ech')).toBe(true);
    expect(matches('Pluteus<Echinoidea', 'ech*plu')).toBe(false);
    expect(matches('Calanoida', 'LAN')).toBe(true);
  });
});
