import { api, type ApiError, asApiError, useCsrf, whenSignedOut } from './api';
import type { ProjectCard, ProjectRights, SessionState } from './types';

class Session {
  state = $state.raw<SessionState | null>(null);
  problem = $state.raw<ApiError | null>(null);
  projects = $state.raw<ProjectCard[]>([]);
  /** The project that is open, with the caller's rights in it. */
  project = $state.raw<ProjectRights | null>(null);

  constructor() {
    whenSignedOut(() => {
      if (this.state?.user) this.take({ ...this.state, user: null, csrf: null });
    });
  }
  get user() {
    return this.state?.user ?? null;
  }
  async load(): Promise<void> {
    try {
      this.problem = null;
      this.take(await api.get<SessionState>('/ui/api/session'));
    } catch (error) {
      this.problem = asApiError(error);
    }
  }
  async signIn(credential: { email: string; password: string } | { token: string }): Promise<void> {
    this.take(await api.post<SessionState>('/ui/api/session', credential));
  }
  async setUp(chosen: { token: string; email: string; password: string }): Promise<void> {
    this.take(await api.post<SessionState>('/ui/api/setup', chosen));
  }
  async signOut(): Promise<void> {
    await api.delete('/ui/api/session');
    await this.load();
    this.projects = [];
  }
  async loadProjects(): Promise<ProjectCard[]> {
    this.projects = await api.get<ProjectCard[]>('/ui/api/projects');
    return this.projects;
  }
  async openProject(id: number): Promise<ProjectRights> {
    const found = await api.get<ProjectRights>(`/ui/api/projects/${id}`);
    this.project = found;
    remember(id);
    return found;
  }
  may(...anyOf: string[]): boolean {
    return anyOf.some((permission) => this.project?.permissions.includes(permission));
  }
  private take(state: SessionState): void {
    this.state = state;
    useCsrf(state.csrf);
  }
}

const RECENT = 'quadrat.recent-projects';

export function recentProjects(): number[] {
  try {
    return JSON.parse(localStorage.getItem(RECENT) ?? '[]') as number[];
  } catch {
    return [];
  }
}
function remember(id: number): void {
  localStorage.setItem(RECENT, JSON.stringify([id, ...recentProjects().filter((other) => other !== id)].slice(0, 20)));
}

export const session = new Session();
