import type { TypedField } from './serving';

export const START = 'pipeline_start';

export interface Pipeline {
  id: string;
  name: string;
  description: string;
  input_type: string;
  input_fields: TypedField[] | null;
}
export interface PipelineObject {
  id: string;
  name: string;
  reference_type: string;
  reference_name: string;
  version?: string | null;
  input_type?: string;
  output_type?: string | null;
  input_fields: TypedField[] | null;
  output_fields: TypedField[] | null;
}
export interface Attachment {
  id: string;
  source_name: string;
  destination_name: string;
  mapping: { source_field_name: string; destination_field_name: string }[] | null;
}
export interface RunResult {
  pipeline_request_id: string;
  model_requests: { request_id: string | null; pipeline_object: string; success: boolean; request_data: unknown; result: unknown; error_message: string | null }[];
}

function outputsOf(pipeline: Pipeline, objects: PipelineObject[], source: string): TypedField[] {
  return (source === START ? pipeline.input_fields : objects.find((one) => one.name === source)?.output_fields) ?? [];
}

/** Fields of the same name and type first, then the only one of the type. */
export function suggestMapping(pipeline: Pipeline, objects: PipelineObject[], source: string, destination: string): Record<string, string> {
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
export function mappingProblem(pipeline: Pipeline, objects: PipelineObject[], source: string, destination: string): string | null {
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
