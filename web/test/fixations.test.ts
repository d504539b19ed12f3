import { expect, test } from 'vitest';
import { radiusOf, readFixations } from '../src/lib/aoi/fixations';

const HEAD = 'recording id,fixation id,start timestamp [ns],fixation duration [ms],fixation x [normalized],fixation y [normalized]\n';

test('rows become one path for each recording, in their order', () => {
  const paths = readFixations(`${HEAD}a,1,10,200,0.5,0.25\na,3,20,90,0.1,0.9\nb,1,5,120,1,0\n`);
  expect(paths).toEqual([
    { recording: 'a', fixations: [{ x: 0.5, y: 0.25, ms: 200 }, { x: 0.1, y: 0.9, ms: 90 }] },
    { recording: 'b', fixations: [{ x: 1, y: 0, ms: 120 }] },
  ]);
});

test('a table without rows has no path', () => {
  expect(readFixations(HEAD)).toEqual([]);
});

test('a circle grows with its duration and stays small enough to see what lies below', () => {
  const [short, long, endless] = [100, 400, 60_000].map((ms) => radiusOf({ x: 0, y: 0, ms }));
  expect(short).toBeLessThan(long!);
  expect(endless).toBe(24);
});
