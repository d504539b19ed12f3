// Uploads images into a dataset: make the sample, ask for an address, put the bytes. Making the same sample again gives
// the same id, so that an upload that broke off goes on when the same files are dropped once more.
import { api, ApiError, upload } from './api';

const AT_ONCE = 4;
const PICTURE = /\.(png|jpe?g|tiff?|bmp|webp|gif|jp2)$/i;

interface Failure {
  file: File;
  name: string;
  reason: string;
}

export class SampleUpload {
  total = $state(0);
  done = $state(0);
  failures = $state.raw<Failure[]>([]);
  running = $state(false);
  #abort = new AbortController();

  constructor(
    private readonly datasetId: string,
    private readonly arrived: () => void,
  ) {}

  get percent(): number {
    return this.total === 0 ? 0 : Math.round((100 * this.done) / this.total);
  }
  cancel(): void {
    this.#abort.abort();
  }
  retry(): Promise<void> {
    const again = this.failures.map((failure) => failure.file);
    return this.start(again);
  }
  async start(files: readonly File[]): Promise<void> {
    const queue = files.filter((file) => file.type.startsWith('image/') || PICTURE.test(file.name));
    this.#abort = new AbortController();
    this.total = queue.length;
    this.done = 0;
    this.failures = files.filter((file) => !queue.includes(file)).map((file) => ({ file, name: nameOf(file), reason: 'This is not an image.' }));
    this.running = true;
    const worker = async () => {
      for (let file = queue.shift(); file && !this.#abort.signal.aborted; file = queue.shift()) await this.#send(file);
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
    this.running = false;
    this.arrived();
  }
  async #send(file: File): Promise<void> {
    try {
      const samples = `/v1/datasets/${this.datasetId}/samples`;
      const { id } = await api.post<{ id: string }>(samples, { fileName: nameOf(file) }, { signal: this.#abort.signal });
      const address = await api.get<string>(`${samples}/${id}/writeurl`, { query: { isThumbnail: false }, signal: this.#abort.signal });
      await upload('PUT', ownPath(address), file, () => undefined, this.#abort.signal);
    } catch (error) {
      const reason = error instanceof ApiError ? error.message : 'The upload was cancelled.';
      this.failures = [...this.failures, { file, name: nameOf(file), reason }];
    } finally {
      this.done++;
    }
  }
}

function nameOf(file: File): string {
  return file.webkitRelativePath || file.name;
}

/** An address of this server without its origin, so that it also works behind another name. */
export function ownPath(address: string): string {
  const url = new URL(address, location.origin);
  return url.pathname.startsWith('/files/') ? url.pathname + url.search : address;
}
