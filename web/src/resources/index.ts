import { api } from '../lib/api';
import { href } from '../lib/router.svelte';
import type { ProjectRights } from '../lib/types';
import type { Resource, Row } from './types';

const part = (value: unknown) => encodeURIComponent(String(value));
const base = (project: ProjectRights) => `/v2.1/projects/${part(project.name)}`;

async function names(path: string): Promise<string[]> {
  return (await api.get<Row[]>(path)).map((row) => String(row.name));
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
      { name: 'last_updated', label: 'Changed', kind: 'time' },
    ],
    read: 'models.list',
    create: { operation: 'models_create', permission: 'models.create' },
    update: { operation: 'models_update', permission: 'models.update' },
    remove: { permission: 'models.delete', warning: 'All its versions, requests and results go with it.' },
    empty: 'A model is a name with typed inputs and outputs; its versions hold your code.',
  },
  roles: {
    title: 'Roles',
    singular: 'role',
    prefix: '/v2.1',
    list: (project) => `${base(project)}/roles`,
    one: (project, row) => `${base(project)}/roles/${part(row.name)}`,
    name: (row) => String(row.name),
    columns: [
      { name: 'name', label: 'Name' },
      { name: 'default', label: 'Built in', kind: 'flag' },
    ],
    read: 'roles.list',
    create: { operation: 'roles_create', permission: 'roles.create' },
    remove: { permission: 'roles.delete', warning: 'Whoever holds this role loses its permissions at once.' },
    empty: 'There are no roles.',
    hints: { permissions: 'One permission a line, for example models.versions.requests.create' },
  },
};

export { base, names, part };
