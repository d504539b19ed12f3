import type { components as Samples } from '../generated/lightly';

export type Dataset = Samples['schemas']['DatasetData'];
// Lists of samples and tags are streamed, and so stand in no schema.
export interface Sample {
  id: string;
  type: string;
  fileName: string;
  thumbName?: string | null;
  index?: number;
  createdAt: number;
  lastModifiedAt?: number;
  metaData?: Record<string, unknown> | null;
  exif?: Record<string, unknown> | null;
}
