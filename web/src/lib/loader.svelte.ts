import { onDestroy } from 'svelte';
import { type ApiError, asApiError } from './api';

/**
 * Loads one thing: keeps what it has while it loads anew, and what went wrong until the next try. Only the answer to the
 * last question counts, however late an earlier one comes. It belongs to the component that makes it: what is
 * under way when that goes is called off, for the component's derived values are not to be read any more then.
 */
export class Loader<T> {
  data = $state.raw<T | null>(null);
  error = $state.raw<ApiError | null>(null);
  loading = $state(false);
  #number = 0;
  #abort: AbortController | null = null;

  constructor(
    private readonly fetchIt: (signal: AbortSignal) => Promise<T>,
    whenGone: (stop: () => void) => void = onDestroy,
  ) {
    whenGone(() => {
      this.#number++;
      this.#abort?.abort();
    });
  }

  reload = async (): Promise<void> => {
    const number = ++this.#number;
    this.#abort?.abort();
    this.#abort = new AbortController();
    this.loading = true;
    try {
      const found = await this.fetchIt(this.#abort.signal);
      if (number !== this.#number) return;
      this.data = found;
      this.error = null;
    } catch (error) {
      if (number !== this.#number || (error instanceof DOMException && error.name === 'AbortError')) return;
      this.error = asApiError(error);
    } finally {
      if (number === this.#number) this.loading = false;
    }
  };

  /** What follows what is shown. It is dropped when something else has been asked for meanwhile. */
  async extend(fetchMore: (known: T) => Promise<T>): Promise<void> {
    const number = this.#number;
    if (this.data === null) return;
    const longer = await fetchMore(this.data);
    if (number === this.#number) this.data = longer;
  }

  /** Show nothing, and let no answer that is still under way show anything either. */
  clear(): void {
    this.#number++;
    this.#abort?.abort();
    this.data = null;
    this.error = null;
    this.loading = false;
  }
}

/** For what is asked again and again, as while someone types: only what becomes of the last question comes. */
export class Latest {
  #abort: AbortController | null = null;

  ask<T>(question: (signal: AbortSignal) => Promise<T>, take: (answer: T) => void, fail: (error: unknown) => void = () => undefined): void {
    this.#abort?.abort();
    const mine = (this.#abort = new AbortController());
    question(mine.signal).then((answer) => mine.signal.aborted || take(answer), (error: unknown) => mine.signal.aborted || fail(error));
  }
  /** No answer that is still under way is wanted any more. */
  clear(): void {
    this.#abort?.abort();
  }
}

/** Something that the user has asked for and that takes a moment: busy, then done or a message. */
export class Task {
  busy = $state(false);
  error = $state.raw<ApiError | null>(null);

  run = async (work: () => Promise<void>): Promise<boolean> => {
    if (this.busy) return false;
    this.busy = true;
    this.error = null;
    try {
      await work();
      return true;
    } catch (error) {
      this.error = asApiError(error);
      return false;
    } finally {
      this.busy = false;
    }
  };
}
