// Tags of a dataset: named sets of samples, each a mask in which bit i is the sample of index i.

export interface Tag {
  id: string;
  name: string;
  prevTagId: string | null;
  bitMaskData: string;
  totSize: number;
  createdAt: number;
}

export const INITIAL = 'initial-tag';

/** Indexes of the samples in a mask, in order. */
export function indexesOf(mask: string): number[] {
  const digits = mask.slice(2);
  const found: number[] = [];
  for (let place = digits.length - 1, base = 0; place >= 0; place--, base += 4) {
    const digit = parseInt(digits.charAt(place), 16);
    for (let bit = 0; bit < 4; bit++) if (digit & (1 << bit)) found.push(base + bit);
  }
  return found;
}

/** The mask of these samples. */
export function maskOf(indexes: Iterable<number>): string {
  const digits: number[] = [];
  for (const index of indexes) {
    const place = index >> 2;
    while (digits.length <= place) digits.push(0);
    digits[place] = (digits[place] ?? 0) | (1 << (index & 3));
  }
  const text = digits.reverse().map((digit) => digit.toString(16)).join('').replace(/^0+/, '');
  return `0x${text || '0'}`;
}
