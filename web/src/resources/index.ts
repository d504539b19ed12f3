import type { components as Pages } from '../generated/pages';
import { api } from '../lib/api';
import { href } from '../lib/router.svelte';
import type { ProjectRights } from '../lib/types';
import type { Resource, Row } from './types';

const part = (value: unknown) => encodeURIComponent(String(value));
const base = (project: ProjectRights) => `/v2.1/projects/${part(project.name)}`;
const DAY_MS = 86_400_000;
// Whoever may ask something may schedule, change and remove what asks it.
const REQUESTS_CREATE = ['models.versions.requests.create', 'pipelines.requests.create'];

async function names(path: string): Promise<string[]> {
  return (await api.get<Row[]>(path)).map((row) => String(row.name));
}

async function connectorTypes(): Promise<string[]> {
  return (await api.get<Row[]>('/v2.1/config/connectors')).map((row) => String(row.connector)).sort();
}

/** Of each model that was asked in the last day: how often, and which share of that failed. */
async function askedLastDay(projectId: number, signal: AbortSignal): Promise<Map<string, Row>> {
  const end = Date.now();
  const query = { interval: 'hour', start_time: new Date(end - DAY_MS).toISOString(), end_time: new Date(end).toISOString() };
  const sums = new Map<string, { requests: number; failed: number }>();
  for (const row of await api.get<Pages['schemas']['AskedCard'][]>(`/ui/api/projects/${projectId}/requests`, { query, signal })) {
    const known = sums.get(row.model) ?? { requests: 0, failed: 0 };
    sums.set(row.model, { requests: known.requests + row.requests, failed: known.failed + row.failed });
  }
  return new Map([...sums].map(([model, sum]) => [model, { requests: sum.requests, failed: `${((100 * sum.failed) / Math.max(1, sum.requests)).toFixed(1)} %` }]));
}

export const RESOURCES: Record<string, Resource> = {
  models: {
    title: 'Models',
    singular: 'model',
    prefix: '/v2.1',
    list: (project) => `${base(project)}/models`,
    one: (project, row) => `${base(project)}/models/${part(row.name)}`,
    name: (row) => String(row.name),
    columns: [
      { name: 'name', label: 'Name', link: (project, row) => href('p', project.id, 'models', String(row.name)) },
      { name: 'description', label: 'Description' },
      { name: 'input_type', label: 'Takes' },
      { name: 'output_type', label: 'Gives' },
      { name: 'number_of_versions', label: 'Versions', kind: 'number' },
      { name: 'requests', label: 'Requests, last day', kind: 'number' },
      { name: 'failed', label: 'Failed', kind: 'number' },
      { name: 'last_updated', label: 'Changed', kind: 'time' },
    ],
    besides: async (project, signal) => (project.permissions.includes('models.versions.metrics.get') ? askedLastDay(project.id, signal) : new Map()),
    read: 'models.list',
    create: { operation: 'models_create', permission: 'models.create' },
    update: { operation: 'models_update', permission: 'models.update' },
    remove: { permission: 'models.delete', warning: 'All its versions, requests and results go with it.' },
    empty: 'A model is a name with typed inputs and outputs; its versions hold your code.',
  },
  connectors: {
    title: 'Connectors',
    singular: 'connector',
    prefix: '/v2.1',
    list: (project) => `${base(project)}/connectors`,
    one: (project, row) => `${base(project)}/connectors/${part(row.name)}`,
    name: (row) => String(row.name),
    columns: [
      { name: 'name', label: 'Name' },
      { name: 'type', label: 'Type' },
      { name: 'status', label: 'State', kind: 'state' },
      { name: 'error_message', label: 'Says' },
      { name: 'credentials', label: 'Credentials' },
      { name: 'last_updated', label: 'Changed', kind: 'time' },
    ],
    read: 'connectors.list',
    create: { operation: 'connectors_create', permission: 'connectors.create' },
    update: { operation: 'connectors_update', permission: 'connectors.update' },
    remove: { permission: 'connectors.delete', warning: 'What pipelines would write through it is no longer written.' },
    empty: 'A connector writes what pipelines give it into a database, a bucket or a stream of yours.',
    hints: { configuration: 'An object of texts, e.g. {"database": "results", "table": "plankton"}', input_fields: 'The columns, for connectors to tables' },
    choices: async (project) => ({
      type: await connectorTypes(),
      credentials: await names(`${base(project)}/credentials`),
    }),
  },
  credentials: {
    title: 'Credentials',
    singular: 'credentials',
    prefix: '/v2.1',
    list: (project) => `${base(project)}/credentials`,
    one: (project, row) => `${base(project)}/credentials/${part(row.name)}`,
    name: (row) => String(row.name),
    columns: [
      { name: 'name', label: 'Name' },
      { name: 'type', label: 'Type' },
      { name: 'status', label: 'State', kind: 'state' },
      { name: 'reference_count', label: 'Connectors', kind: 'number' },
      { name: 'last_updated', label: 'Changed', kind: 'time' },
    ],
    read: 'credentials.list',
    create: { operation: 'credentials_create', permission: 'credentials.create' },
    update: { operation: 'credentials_update', permission: 'credentials.update' },
    remove: { permission: 'credentials.delete', warning: 'Connectors cannot use them any more.' },
    empty: 'Credentials are sealed at rest and never shown again.',
    hints: { configuration: 'An object of texts, e.g. {"username": "quadrat", "password": "…", "host": "db", "port": "5432"}' },
    choices: async () => ({ type: await connectorTypes() }),
  },
  schedules: {
    title: 'Schedules',
    singular: 'schedule',
    prefix: '/v2.1',
    list: (project) => `${base(project)}/schedules`,
    one: (project, row) => `${base(project)}/schedules/${part(row.name)}`,
    name: (row) => String(row.name),
    columns: [
      { name: 'name', label: 'Name' },
      { name: 'schedule', label: 'When (UTC)', kind: 'code' },
      { name: 'object_type', label: 'Runs' },
      { name: 'object_name', label: 'Name' },
      { name: 'enabled', label: 'On', kind: 'flag' },
      { name: 'batch', label: 'Batch', kind: 'flag' },
    ],
    read: 'projects.get',
    create: { operation: 'scheduled_requests_create', permission: REQUESTS_CREATE, initial: { enabled: true } },
    update: { operation: 'scheduled_requests_update', permission: REQUESTS_CREATE },
    remove: { permission: REQUESTS_CREATE, warning: 'It does not run again; what it ran is kept.' },
    empty: 'A schedule asks a model or a pipeline again and again, by the minute, in UTC.',
    hints: { schedule: 'Minute, hour, day, month, weekday: 0 6 * * 1-5 is six o\'clock on workdays', request_data: 'JSON, as for a request', version: 'Of the model; a pipeline has none', timeout: 'Seconds, of a request that is none of a batch' },
    choices: async (project) => {
      // Who may list one of them only schedules that.
      const found = await Promise.all(['models', 'pipelines'].map((kind) => names(`${base(project)}/${kind}`).catch(() => [])));
      return { object_type: ['model', 'pipeline'], object_name: [...new Set(found.flat())].sort() };
    },
  },
  variables: {
    title: 'Environment variables',
    singular: 'variable',
    prefix: '/v2.1',
    list: (project) => `${base(project)}/environment-variables`,
    one: (project, row) => `${base(project)}/environment-variables/${part(row.id)}`,
    name: (row) => String(row.name),
    columns: [
      { name: 'name', label: 'Name', kind: 'code' },
      { name: 'value', label: 'Value', kind: 'code' },
      { name: 'secret', label: 'Secret', kind: 'flag' },
    ],
    read: 'projects.environment-variables.list',
    create: { operation: 'project_environment_variables_create', permission: 'projects.environment-variables.create' },
    update: { operation: 'project_environment_variables_update', permission: 'projects.environment-variables.update' },
    remove: { permission: 'projects.environment-variables.delete', warning: 'Models of this project start without it from now on.' },
    empty: 'Every model of the project sees these variables; a model or a version may have its own of the same name.',
  },
  'service-users': {
    title: 'Service users',
    singular: 'service user',
    prefix: '/v2.1',
    list: (project) => `${base(project)}/service-users`,
    one: (project, row) => `${base(project)}/service-users/${part(row.id)}`,
    name: (row) => String(row.name ?? row.email),
    columns: [
      { name: 'name', label: 'Name' },
      { name: 'email', label: 'Address', kind: 'code' },
      { name: 'creation_date', label: 'Created', kind: 'time' },
    ],
    read: 'service-users.list',
    create: { operation: 'service_users_create', permission: 'service-users.create' },
    update: { operation: 'service_users_update', permission: 'service-users.update' },
    remove: { permission: 'service-users.delete', warning: 'Its token stops working at once.' },
    empty: 'A service user is a token for a script, with exactly the roles that you give it.',
    actions: [{
      label: 'New token',
      permission: 'service-users.update',
      run: async (project, row) => ({
        title: `New token of ${row.name ?? row.email}; the old one no longer works`,
        text: (await api.put<{ token: string }>(`${base(project)}/service-users/${part(row.id)}/token`, {})).token,
      }),
    }],
    once: (made) => (made.token ? { title: 'Token of the service user', text: String(made.token) } : null),
  },
  pipelines: {
    title: 'Pipelines',
    singular: 'pipeline',
    prefix: '/v2.1',
    list: (project) => `${base(project)}/pipelines`,
    one: (project, row) => `${base(project)}/pipelines/${part(row.name)}`,
    name: (row) => String(row.name),
    columns: [
      { name: 'name', label: 'Name', link: (project, row) => href('p', project.id, 'pipelines', String(row.name)) },
      { name: 'description', label: 'Description' },
      { name: 'input_type', label: 'Takes' },
      { name: 'last_updated', label: 'Changed', kind: 'time' },
    ],
    read: 'pipelines.list',
    create: { operation: 'pipelines_create', permission: 'pipelines.create' },
    update: { operation: 'pipelines_update', permission: 'pipelines.update' },
    remove: { permission: 'pipelines.delete', warning: 'Its graph and its requests go with it; the models stay.' },
    empty: 'A pipeline leads data through several models and into connectors.',
  },
};

/** Variables of a model, or of one version of it, with those that it gets from above. */
export function variablesOf(model: string, version?: string): Resource {
  const path = (project: ProjectRights) => `${base(project)}/models/${part(model)}${version === undefined ? '' : `/versions/${part(version)}`}/environment-variables`;
  const kind = version === undefined ? 'models' : 'models.versions';
  return {
    ...RESOURCES.variables!,
    list: path,
    one: (project, row) => `${path(project)}/${part(row.id)}`,
    columns: [...RESOURCES.variables!.columns, { name: 'inheritance_name', label: 'From' }],
    read: `${kind}.environment-variables.list`,
    create: { operation: version === undefined ? 'model_environment_variables_create' : 'model_version_environment_variables_create', permission: `${kind}.environment-variables.create` },
    update: { operation: version === undefined ? 'model_environment_variables_update' : 'model_version_environment_variables_update', permission: `${kind}.environment-variables.update` },
    remove: { permission: `${kind}.environment-variables.delete`, warning: 'What counts then is the one of the same name above it, if there is one. Running instances are replaced.' },
    fixed: (row) => (row.inheritance_type ? `set for the ${row.inheritance_type}` : ''),
    empty: version === undefined ? 'Every version of the model sees these variables; one of its own of the same name counts more.' : 'The model reads these as environment variables; one of the same name above it counts less.',
  };
}

export { base, names, part };
