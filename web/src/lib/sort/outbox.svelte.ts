// Annotations on their way to the server. They are kept in this browser until the server has them, in order, also when
// the connection or the tab goes. The batch's id makes sending twice the same as sending once.
import { type ApiError, asApiError } from '../api';
import type { Qualification } from './objects';

export interface Before {
  id: number;
  taxonId: number | null;
  taxon: string | null;
  state: Qualification;
}
export interface Batch {
  id: string;
  projectId: number;
  targetIds: number[];
  taxonIds: number[];
  qualification: 'V' | 'D' | 'P';
  words: string;
  before: Before[];
}
export interface Refused {
  batch: Batch;
  reason: string;
}
export interface Wire {
  send: (batch: Batch) => Promise<void>;
  undo: (batch: Batch) => Promise<void>;
}
export interface Shelf {
  getItem: (key: string) => string | null;
  setItem: (key: string, value: string) => void;
}

const LONGEST_PAUSE_MS = 30_000;
const KEPT_FOR_UNDO = 50;

export class Outbox {
  waiting = $state.raw<Batch[]>([]);
  refused = $state.raw<Refused[]>([]);
  offline = $state(false);
  sending = $state(false);
  /** What can be taken back, the newest last. */
  done = $state.raw<Batch[]>([]);
  #pauseMs = 500;
  #timer: ReturnType<typeof setTimeout> | null = null;

  constructor(
    private readonly key: string,
    private readonly wire: Wire,
    private readonly onRefused: (refused: Refused) => void = () => undefined,
    private readonly shelf: Shelf = localStorage,
  ) {
    try {
      this.waiting = JSON.parse(shelf.getItem(key) ?? '[]') as Batch[];
    } catch {
      this.waiting = [];
    }
  }

  /** Objects whose change the server does not have yet. */
  get unsaved(): number {
    return this.waiting.reduce((sum, batch) => sum + batch.targetIds.length, 0);
  }
  get words(): string {
    if (this.offline) return `Offline: ${this.unsaved} ${this.unsaved === 1 ? 'change' : 'changes'} kept in this browser`;
    if (this.waiting.length > 0) return 'Saving…';
    return 'All changes saved';
  }
  add(batch: Batch): void {
    this.#keep([...this.waiting, batch]);
    void this.flush();
  }
  /** Take back the newest batch; gives what it was, or null when there is none. */
  async undo(): Promise<Batch | null> {
    const unsent = this.waiting.at(-1);
    if (unsent && !(this.sending && this.waiting.length === 1)) {
      this.#keep(this.waiting.slice(0, -1));
      return unsent;
    }
    const sent = this.done.at(-1);
    if (unsent || !sent) return null;
    await this.wire.undo(sent);
    this.done = this.done.slice(0, -1);
    return sent;
  }
  async flush(): Promise<void> {
    if (this.sending) return;
    this.sending = true;
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    try {
      for (let batch = this.waiting[0]; batch; batch = this.waiting[0]) {
        if (!(await this.#sendOne(batch))) return;
      }
    } finally {
      this.sending = false;
    }
  }
  stop(): void {
    if (this.#timer) clearTimeout(this.#timer);
  }
  /** Whether the next one may be sent. */
  async #sendOne(batch: Batch): Promise<boolean> {
    try {
      await this.wire.send(batch);
    } catch (error) {
      const told = asApiError(error);
      if (told.status === 0 || told.status === 401 || told.status === 429 || told.status >= 500) {
        this.offline = true;
        this.#timer = setTimeout(() => void this.flush(), this.#pauseMs);
        this.#pauseMs = Math.min(LONGEST_PAUSE_MS, this.#pauseMs * 2);
        return false;
      }
      // The server has said no: asking again will not help, and those behind it must not wait.
      this.#keep(this.waiting.filter((other) => other.id !== batch.id));
      const refused = { batch, reason: told.message };
      this.refused = [...this.refused, refused];
      this.onRefused(refused);
      return true;
    }
    this.offline = false;
    this.#pauseMs = 500;
    this.#keep(this.waiting.filter((other) => other.id !== batch.id));
    this.done = [...this.done, batch].slice(-KEPT_FOR_UNDO);
    return true;
  }
  #keep(waiting: Batch[]): void {
    this.waiting = waiting;
    this.shelf.setItem(this.key, JSON.stringify(waiting));
  }
}
