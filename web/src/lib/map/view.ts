// What part of the world a map shows, in tenths of degrees with latitude upwards as negative y.

export interface Place {
  latitude: number;
  longitude: number;
}
export interface View {
  x: number;
  y: number;
  width: number;
  height: number;
}
export const WORLD: View = { x: -1800, y: -900, width: 3600, height: 1800 };
const LEAST_WIDTH = 200;
const MARGIN = 1.4;

/** The smallest view at the proportions of the world map that holds all places with some room around them. */
export function viewOf(places: readonly Place[]): View {
  const xs = places.map((place) => place.longitude * 10);
  const ys = places.map((place) => -place.latitude * 10);
  if (xs.length === 0) return WORLD;
  const [left, right, top, bottom] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  const width = Math.min(WORLD.width, Math.max(LEAST_WIDTH, MARGIN * (right - left), MARGIN * 2 * (bottom - top)));
  const height = width / 2;
  return {
    x: Math.max(WORLD.x, Math.min(WORLD.x + WORLD.width - width, (left + right - width) / 2)),
    y: Math.max(WORLD.y, Math.min(WORLD.y + WORLD.height - height, (top + bottom - height) / 2)),
    width,
    height,
  };
}

/** As people write a place. */
export function placeName({ latitude, longitude }: Place): string {
  const part = (value: number, [positive, negative]: [string, string]) => `${Math.abs(value).toFixed(2)}° ${value < 0 ? negative : positive}`;
  return `${part(latitude, ['N', 'S'])}, ${part(longitude, ['E', 'W'])}`;
}
