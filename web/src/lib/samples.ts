export interface Dataset {
  id: string;
  name: string;
  nSamples: number;
  sizeInBytes: number;
  type: string;
  createdAt: number;
  lastModifiedAt: number;
}
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
