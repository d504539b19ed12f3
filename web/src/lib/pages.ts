// Every page by its address. A page's code is loaded when it is opened first.

type Load = () => Promise<{ default: unknown }>;
interface Page {
  pattern: string[];
  title: string;
  load: Load;
  /** What the page is told besides its address. */
  fixed: Record<string, string>;
}
export interface Found {
  title: string;
  load: Load;
  parameters: Record<string, string>;
  /** What makes it another page, so that its state begins anew. */
  key: string;
}

const at = (pattern: string, title: string, load: Load, fixed: Record<string, string> = {}): Page => ({ pattern: pattern.split('/').filter(Boolean), title, load, fixed });
const listed = (resource: string, title: string): Page => at(`p/:project/${resource}`, title, () => import('../pages/Resource.svelte'), { resource });

const PAGES: Page[] = [
  at('', 'Home', () => import('../pages/Home.svelte')),
  at('projects', 'Projects', () => import('../pages/Projects.svelte')),
  at('p/:project', 'Project', () => import('../pages/Project.svelte')),
  listed('models', 'Models'),
  listed('pipelines', 'Pipelines'),
  listed('connectors', 'Connectors'),
  listed('credentials', 'Credentials'),
  listed('schedules', 'Schedules'),
  listed('variables', 'Environment variables'),
  listed('service-users', 'Service users'),
  at('p/:project/pipelines/:pipeline', 'Pipeline', () => import('../pages/Pipeline.svelte')),
  at('p/:project/logs', 'Logs', () => import('../pages/Logs.svelte')),
  at('p/:project/monitoring', 'Monitoring', () => import('../pages/Monitoring.svelte')),
  at('p/:project/models/:model', 'Model', () => import('../pages/Model.svelte')),
  at('p/:project/models/:model/:version', 'Version', () => import('../pages/Version.svelte')),
  at('p/:project/sort', 'Sort', () => import('../pages/Sort.svelte')),
  at('p/:project/object/:object', 'Object', () => import('../pages/ObjectPage.svelte')),
  at('p/:project/import', 'Import', () => import('../pages/Import.svelte')),
  at('p/:project/bulk', 'Bulk tools', () => import('../pages/Bulk.svelte')),
  at('p/:project/export', 'Export', () => import('../pages/Export.svelte')),
  at('p/:project/predict', 'Predict', () => import('../pages/Predict.svelte')),
  at('p/:project/areas', 'Reference images', () => import('../pages/Areas.svelte')),
  at('p/:project/areas/:enrichment', 'Areas', () => import('../pages/AreaEditor.svelte')),
  at('p/:project/areas/:enrichment/metrics', 'Metrics of areas', () => import('../pages/AreaMetrics.svelte')),
  at('p/:project/members', 'Members and roles', () => import('../pages/Members.svelte')),
  at('jobs', 'Jobs', () => import('../pages/Jobs.svelte')),
  at('jobs/:job', 'Job', () => import('../pages/Job.svelte')),
  at('datasets', 'Datasets', () => import('../pages/Datasets.svelte')),
  at('datasets/:dataset', 'Samples', () => import('../pages/Samples.svelte')),
  at('taxonomy', 'Taxonomy', () => import('../pages/Taxonomy.svelte')),
  at('admin', 'Administration', () => import('../pages/Administration.svelte')),
  at('profile', 'Profile', () => import('../pages/Profile.svelte')),
];
// What pages load only when it is opened.
const PARTS: Load[] = [
  () => import('../pages/sort/Views.svelte'),
  () => import('../pages/sort/Lineage.svelte'),
  () => import('../pages/sort/FilterPanel.svelte'),
  () => import('../pages/samples/Scatter.svelte'),
  () => import('../pages/samples/Likeness.svelte'),
  () => import('../components/Chart.svelte'),
];
const NOT_FOUND: Load = () => import('../pages/NotFound.svelte');

/** Fetch the code of all pages once nothing else is to do, so that a page opens also while the connection is away. */
export function preload(): void {
  const whenIdle = window.requestIdleCallback ?? ((callback: () => void) => setTimeout(callback, 2000));
  const queue = [...PAGES.map((page) => page.load), ...PARTS];
  const next = (): void => {
    const load = queue.shift();
    if (load) void load().catch(() => undefined).then(() => whenIdle(next));
  };
  setTimeout(() => whenIdle(next), 2000);
}

export function find(segments: readonly string[], pages: readonly Page[] = PAGES): Found {
  for (const page of pages) {
    if (page.pattern.length !== segments.length) continue;
    const parameters: Record<string, string> = { ...page.fixed };
    const fits = page.pattern.every((part, place) => {
      const segment = segments[place] ?? '';
      if (!part.startsWith(':')) return part === segment;
      parameters[part.slice(1)] = segment;
      return part !== ':project' || /^\d+$/.test(segment);
    });
    if (fits) return { title: page.title, load: page.load, parameters, key: `${page.pattern.join('/')} ${Object.values(parameters).join('/')}` };
  }
  return { title: 'Not found', load: NOT_FOUND, parameters: {}, key: 'not-found' };
}
