// The server's events: every change of the caller's jobs. The browser reconnects by itself and says where it stopped.
import { api } from './api';
import { listen } from './stream';
import { toasts } from './toasts.svelte';
import type { Job } from './types';
import { jobTitle } from './words';

const ENDED = new Set(['finished', 'failed', 'cancelled']);

class Jobs {
  known = $state.raw<ReadonlyMap<number, Job>>(new Map());
  connected = $state(true);
  #end: (() => void) | null = null;
  #listeners = new Set<(job: Job) => void>();

  get running(): Job[] {
    return [...this.known.values()].filter((job) => !ENDED.has(job.state)).sort((a, b) => b.id - a.id);
  }
  start(): void {
    if (this.#end) return;
    void this.#loadOpen();
    const handlers = { job: (event: MessageEvent<string>) => this.#take(JSON.parse(event.data) as Job), missed: () => void this.#loadOpen() };
    this.#end = listen('/ui/api/events', handlers, (there) => {
      if (there && !this.connected) void this.#loadOpen();
      this.connected = there;
    });
  }
  stop(): void {
    this.#end?.();
    this.#end = null;
    this.known = new Map();
  }
  /** Call back with every change of a job; returns what ends this. */
  follow(callback: (job: Job) => void): () => void {
    this.#listeners.add(callback);
    return () => this.#listeners.delete(callback);
  }
  async #loadOpen(): Promise<void> {
    try {
      const open = await api.get<Job[]>('/ui/api/jobs', { query: { state: ['pending', 'running', 'asking'] } });
      const known = new Map(this.known);
      for (const job of open) known.set(job.id, job);
      this.known = known;
    } catch {
      this.connected = false;
    }
  }
  #take(job: Job): void {
    const before = this.known.get(job.id);
    if (before && before.updated_at > job.updated_at) return;
    this.known = new Map(this.known).set(job.id, job);
    for (const listener of this.#listeners) listener(job);
    if (before && !ENDED.has(before.state) && ENDED.has(job.state)) this.#tell(job);
    if (job.state === 'asking' && before?.state !== 'asking') toasts.say(`${jobTitle(job)} asks a question`, `#/jobs/${job.id}`);
  }
  #tell(job: Job): void {
    if (job.state === 'finished') toasts.say(`${jobTitle(job)}: done`, `#/jobs/${job.id}`);
    else if (job.state === 'failed') toasts.fail(`${jobTitle(job)} failed: ${job.errors[0] ?? 'see its log'}`, `#/jobs/${job.id}`);
  }
}

export const jobs = new Jobs();
