import { describe, expect, it } from 'vitest';
import { mappingProblem, START, suggestMapping, type PipelineObject } from '../src/lib/pipelines';

type Field = NonNullable<PipelineObject['input_fields']>[number];
const field = (name: string, type: string): Field => ({ name, data_type: type as Field['data_type'] });
const pipeline = { input_fields: [field('image', 'blob'), field('scale', 'double')] };
const object = (name: string, takes: [string, string][], gives: [string, string][], reference_type: PipelineObject['reference_type'] = 'model') => ({
  name, reference_type, input_fields: takes.map(([n, t]) => field(n, t)), output_fields: gives.map(([n, t]) => field(n, t)),
});
const objects = [object('crop', [['picture', 'blob']], [['parts', 'array_double'], ['label', 'string']]), object('table', [['label', 'string']], [], 'connector'), object('count', [['n', 'int']], [['n', 'int']])];

describe('joining objects of a pipeline', () => {
  it('suggests the field of the same name, or the only one of its type', () => {
    expect(suggestMapping(pipeline, objects, START, 'crop')).toEqual({ picture: 'image' });
    expect(suggestMapping(pipeline, objects, 'crop', 'table')).toEqual({ label: 'label' });
  });
  it('refuses what can never fit, with the reason', () => {
    expect(mappingProblem(pipeline, objects, START, 'crop')).toBeNull();
    expect(mappingProblem(pipeline, objects, 'crop', 'crop')).toContain('itself');
    expect(mappingProblem(pipeline, objects, 'table', 'crop')).toContain('connector');
    expect(mappingProblem(pipeline, objects, 'crop', START)).toContain('start');
    expect(mappingProblem(pipeline, objects, 'crop', 'count')).toContain('int');
  });
});
