// Embeddings of a dataset, and where its samples lie on a plane.
import type { components as Pages } from '../generated/pages';
import type { components as Samples } from '../generated/lightly';
import { api } from './api';

export type Embedding = Samples['schemas']['DatasetEmbeddingData'];
export type Points = Pages['schemas']['Points'];
export type Similar = Samples['schemas']['SimilarSample'];
export const METHODS: [string, string][] = [['PCA', 'PCA: at once'], ['TSNE', 't-SNE: slower, shows groups'], ['UMAP', 'UMAP: slower, shows groups']];

export const listEmbeddings = (dataset: string, signal?: AbortSignal) => api.get<Embedding[]>(`/v1/datasets/${dataset}/embeddings`, { signal });

/** Points scaled to 0..1 with the same factor in both directions, so that distances stay what they are. */
export function fitted(points: Pick<Points, 'x' | 'y'>): { x: Float32Array; y: Float32Array } {
  const range = (values: readonly number[]) => {
    let [low, high] = [Infinity, -Infinity];
    for (const value of values) {
      if (value < low) low = value;
      if (value > high) high = value;
    }
    return { middle: (low + high) / 2, length: high - low };
  };
  const [across, up] = [range(points.x), range(points.y)];
  const scale = 1 / Math.max(across.length, up.length, 1e-12);
  return { x: Float32Array.from(points.x, (value) => 0.5 + (value - across.middle) * scale), y: Float32Array.from(points.y, (value) => 0.5 - (value - up.middle) * scale) };
}

/** Places in the lists of those points that lie inside the rectangle, in the same units. */
export function within(points: { x: Float32Array; y: Float32Array }, box: { left: number; right: number; top: number; bottom: number }): number[] {
  const found: number[] = [];
  for (let place = 0; place < points.x.length; place++) {
    const [x, y] = [points.x[place]!, points.y[place]!];
    if (x >= box.left && x <= box.right && y >= box.top && y <= box.bottom) found.push(place);
  }
  return found;
}

/** The place of the point that is nearest, no further than so far; -1 for none. */
export function nearest(points: { x: Float32Array; y: Float32Array }, x: number, y: number, far: number): number {
  let best = -1;
  let least = far * far;
  for (let place = 0; place < points.x.length; place++) {
    const distance = (points.x[place]! - x) ** 2 + (points.y[place]! - y) ** 2;
    if (distance <= least) [best, least] = [place, distance];
  }
  return best;
}
