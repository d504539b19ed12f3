import { describe, expect, it } from 'vitest';
import { placeName, viewOf, WORLD } from '../src/lib/map/view';

describe('what a map shows', () => {
  it('is the world without places, and where they are everywhere', () => {
    expect(viewOf([])).toEqual(WORLD);
    expect(viewOf([{ latitude: 80, longitude: -179 }, { latitude: -70, longitude: 179 }])).toEqual(WORLD);
  });

  it('holds all places, at twice as wide as high, inside the world', () => {
    for (const places of [
      [{ latitude: 43.5, longitude: 7.2 }],
      [{ latitude: 43.5, longitude: 7.2 }, { latitude: 36, longitude: -5 }],
      [{ latitude: 90, longitude: 180 }, { latitude: 60, longitude: 179 }],
      [{ latitude: -60, longitude: 10 }, { latitude: 60, longitude: 11 }],
    ]) {
      const view = viewOf(places);
      expect(view.width).toBe(2 * view.height);
      expect(view.x >= WORLD.x && view.y >= WORLD.y && view.x + view.width <= 1800 && view.y + view.height <= 900).toBe(true);
      for (const { latitude, longitude } of places) {
        expect(longitude * 10 >= view.x && longitude * 10 <= view.x + view.width).toBe(true);
        expect(-latitude * 10 >= view.y && -latitude * 10 <= view.y + view.height).toBe(true);
      }
    }
  });

  it('names a place', () => expect(placeName({ latitude: -43.5, longitude: 7.256 })).toBe('43.50° S, 7.26° E'));
});
