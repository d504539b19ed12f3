// Server-sent events that come back: a browser reconnects by itself when the connection breaks, but gives up for good when
// it is answered by anything else, as by a proxy while the server restarts.
const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 30_000;

/** Hear of events by their names until the function that is returned is called. */
export function listen(path: string, handlers: Record<string, (event: MessageEvent<string>) => void>, connection: (there: boolean) => void): () => void {
  let source: EventSource;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let pauseMs = FIRST_PAUSE_MS;
  const open = () => {
    source = new EventSource(path);
    source.onopen = () => {
      pauseMs = FIRST_PAUSE_MS;
      connection(true);
    };
    source.onerror = () => {
      connection(false);
      if (source.readyState !== EventSource.CLOSED) return;
      timer = setTimeout(open, pauseMs);
      pauseMs = Math.min(LONGEST_PAUSE_MS, pauseMs * 2);
    };
    for (const [name, handle] of Object.entries(handlers)) source.addEventListener(name, handle as EventListener);
  };
  open();
  return () => {
    clearTimeout(timer);
    source.close();
  };
}
