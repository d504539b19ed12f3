// What the areas pages ask of the gaze API.
import { api, enveloped, upload } from '../api';
import { readFixations, type Scanpath } from './fixations';
import { ownPath } from '../sample-upload.svelte';
import type { components as GazeApi } from '../../generated/pupilcloud';
import type { ProjectRights } from '../types';

type Schema = GazeApi['schemas'];

interface Envelope<T> { result: T }
export type Enrichment = Schema['Enrichment'];
export type Aoi = Schema['Aoi'];
export interface AoiRow { aoi_id: string; aoi_name: string; color: string | null; area_share: number; reach: number | null; total_fixations: number; total_fixation_duration_ms: number; average_fixation_duration_ms: number | null; time_to_first_fixation_ms: number | null; gaze_samples: number; total_gaze_duration_ms: number }
export interface MetricRow { aoi_id: string; aoi_name: string; recording_id: string; recording_name: string; total_fixations: number; total_fixation_duration_ms: number; average_fixation_duration_ms: number | null; time_to_first_fixation_ms: number | null; visits: number; average_visit_duration_ms: number | null; total_gaze_duration_ms: number }
export interface Statistics { recording_ids: string[]; aois: AoiRow[]; metrics: MetricRow[] }

export class Gaze {
  constructor(private readonly project: ProjectRights) {}
  get workspace(): string {
    return `/v2/workspaces/${this.project.organization_uuid}`;
  }
  get base(): string {
    return `${this.workspace}/projects/${this.project.uuid}`;
  }
  at(enrichment: string): string {
    return `${this.base}/enrichments/${enrichment}`;
  }
  enrichments = (signal?: AbortSignal) => enveloped(api.get<Envelope<Enrichment[]>>(`${this.base}/enrichments`, { signal }));
  enrichment = (id: string, signal?: AbortSignal) => enveloped(api.get<Envelope<Enrichment>>(this.at(id), { signal }));
  aois = (id: string, signal?: AbortSignal) => enveloped(api.get<Envelope<Aoi[]>>(`${this.at(id)}/aois`, { signal }));
  statistics = (id: string, recordings: string[] = [], signal?: AbortSignal) => enveloped(api.get<Envelope<Statistics>>(`${this.at(id)}/aois:stats`, { query: { rids: recordings }, signal }));

  /** Address of the reference image; works for any of the planes. */
  background(id: string): string {
    return `${this.workspace}/heatmap/background?project_id=${this.project.uuid}&enrichment_id=${id}`;
  }
  heatmap(id: string, width: number, colormap: string, recordings: string[]): string {
    const query = new URLSearchParams({ project_id: this.project.uuid, enrichment_id: id, width: String(width), colormap, sigma: '0.01' });
    for (const recording of recordings) query.append('recording_ids', recording);
    return `${this.workspace}/heatmap/?${query}`;
  }
  async fixations(id: string, signal?: AbortSignal): Promise<Scanpath[]> {
    const answer = await api.raw('GET', `${this.at(id)}/aois:table?table=fixations`, { signal });
    return readFixations(await answer.text());
  }
  async upload(file: File, onProgress: (share: number) => void): Promise<string> {
    const metadata = `name ${btoa(unescape(encodeURIComponent(file.name)))},content_type ${btoa(file.type)}`;
    const made = await enveloped(api.post<Envelope<{ id: string; upload_url: string }>>(`${this.workspace}/files/`, undefined, {
      headers: { 'Tus-Resumable': '1.0.0', 'Upload-Length': String(file.size), 'Upload-Metadata': metadata },
    }));
    const target = new URL(made.upload_url, location.origin).pathname;
    const PART = 8 * 1024 * 1024;
    for (let offset = 0; offset < file.size; offset += PART) {
      await api.raw('PATCH', target, {
        body: file.slice(offset, offset + PART),
        headers: { 'Tus-Resumable': '1.0.0', 'Upload-Offset': String(offset), 'Content-Type': 'application/offset+octet-stream' },
      });
      onProgress(Math.min(1, (offset + PART) / file.size));
    }
    return made.id;
  }
  /** A picture on which areas can be drawn. */
  async createFrom(name: string, file: File, onProgress: (share: number) => void): Promise<Enrichment> {
    const picture = await this.upload(file, onProgress);
    const plane = await enveloped(api.post<Envelope<{ id: string }>>(`${this.workspace}/markerless/`, { reference_image_id: picture, scanning_recording_id: '00000000-0000-0000-0000-000000000000' }));
    return enveloped(api.post<Envelope<Enrichment>>(`${this.base}/enrichments`, { name, kind: 'slam-mapper', from_event_name: 'recording.begin', to_event_name: 'recording.end', args: { markerless_id: plane.id } }));
  }
  importRecording(id: string, parts: Record<string, File | string>, onProgress: (share: number) => void): Promise<unknown> {
    const form = new FormData();
    for (const [name, value] of Object.entries(parts)) if (value instanceof File) form.append(name, value, value.name); else if (value) form.append(name, value);
    return upload('POST', `${this.at(id)}/recordings:import`, form, onProgress);
  }
}
export { ownPath };

/** Okabe-Ito in order: told apart by everyone. */
export const COLOURS = ['#56B4E9', '#E69F00', '#009E73', '#CC79A7', '#F0E442', '#D55E00', '#0072B2', '#999999'];
