import { describe, expect, it } from 'vitest';
import { mappingProblem, START, suggestMapping, type Pipeline, type PipelineObject } from '../src/lib/pipelines';

const pipeline: Pipeline = { id: '1', name: 'p', description: '', input_type: 'structured', input_fields: [{ name: 'image', data_type: 'blob' }, { name: 'scale', data_type: 'double' }] };
const object = (name: string, takes: [string, string][], gives: [string, string][], kind = 'model'): PipelineObject => ({
  id: name, name, reference_type: kind, reference_name: name, input_fields: takes.map(([n, t]) => ({ name: n, data_type: t })), output_fields: gives.map(([n, t]) => ({ name: n, data_type: t })),
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
