import type { components as Serving } from '../generated/ubiops';
import type { TypedField } from './serving';

export const START = 'pipeline_start';

type Schema = Serving['schemas'];

export type Pipeline = Schema['PipelineList'];
export type PipelineObject = Schema['PipelineObjectList'];
export type Attachment = Schema['AttachmentsList'];
/** What joining asks of the two ends. */
type Source = Pick<Pipeline, 'input_fields'>;
type End = Pick<PipelineObject, 'name' | 'reference_type' | 'input_fields' | 'output_fields'>;
export interface RunResult {
  pipeline_request_id: string;
  model_requests: { request_id: string | null; pipeline_object: string; success: boolean; request_data: unknown; result: unknown; error_message: string | null }[];
}

function outputsOf(pipeline: Source, objects: End[], source: string): TypedField[] {
  return (source === START ? pipeline.input_fields : objects.find((one) => one.name === source)?.output_fields) ?? [];
}

/** Fields of the same name and type first, then the only one of the type. */
export function suggestMapping(pipeline: Source, objects: End[], source: string, destination: string): Record<string, string> {
  const outputs = outputsOf(pipeline, objects, source);
  const mapping: Record<string, string> = {};
  for (const field of objects.find((one) => one.name === destination)?.input_fields ?? []) {
    const fitting = outputs.filter((output) => output.data_type === field.data_type);
    const found = fitting.find((output) => output.name === field.name) ?? (fitting.length === 1 ? fitting[0] : undefined);
    mapping[field.name] = found?.name ?? '';
  }
  return mapping;
}

/** Why two objects cannot be joined, before the server is asked; null when they may. */
export function mappingProblem(pipeline: Source, objects: End[], source: string, destination: string): string | null {
  if (source === destination) return 'An object cannot feed itself.';
  if (destination === START) return 'Nothing leads back to the start of the pipeline.';
  const from = objects.find((one) => one.name === source);
  if (from?.reference_type === 'connector') return `${source} is a connector: it writes out and gives nothing on.`;
  const outputs = outputsOf(pipeline, objects, source);
  const types = new Set(outputs.map((field) => field.data_type));
  const missing = (objects.find((one) => one.name === destination)?.input_fields ?? []).filter((field) => !types.has(field.data_type));
  if (missing.length > 0 && outputs.length > 0) {
    return `${source} gives no field of the type ${missing[0]?.data_type}, which ${destination} needs for ${missing[0]?.name}.`;
  }
  return null;
}
