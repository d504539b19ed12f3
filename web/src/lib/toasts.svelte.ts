interface Toast {
  id: number;
  text: string;
  link: string | null;
  bad: boolean;
}

class Toasts {
  shown = $state.raw<Toast[]>([]);
  #number = 0;

  say(text: string, link: string | null = null): void {
    this.#add(text, link, false, 6000);
  }
  /** A failure stays until it is closed. */
  fail(text: string, link: string | null = null): void {
    this.#add(text, link, true, 0);
  }
  close(id: number): void {
    this.shown = this.shown.filter((toast) => toast.id !== id);
  }
  #add(text: string, link: string | null, bad: boolean, life: number): void {
    const id = ++this.#number;
    this.shown = [...this.shown.slice(-4), { id, text, link, bad }];
    if (life) setTimeout(() => this.close(id), life);
  }
}

export const toasts = new Toasts();
