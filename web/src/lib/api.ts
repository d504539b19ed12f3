// One way to ask any of the four APIs. The browser's session goes along as a cookie; the header proves that a page of
// ours asks. Every API has its own words for an error; `ApiError` reads them all.

export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly requestId: string | null = null,
    readonly field: string | null = null,
  ) {
    super(message);
    this.name = 'ApiError';
  }
  /** Nobody answered: the network or the server is away. */
  get offline(): boolean {
    return this.status === 0;
  }
}

/** Whatever went wrong, as what a page can show. */
export function asApiError(error: unknown): ApiError {
  return error instanceof ApiError ? error : new ApiError(0, error instanceof Error ? error.message : String(error));
}

type Query = Record<string, string | number | boolean | null | undefined | readonly (string | number)[]>;

export interface Ask {
  query?: Query;
  json?: unknown;
  body?: BodyInit;
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

let csrf: string | null = null;
let onSignedOut: () => void = () => undefined;

export function useCsrf(token: string | null): void {
  csrf = token;
}
export function whenSignedOut(callback: () => void): void {
  onSignedOut = callback;
}
export function csrfHeaders(): Record<string, string> {
  return csrf ? { 'X-Quadrat-CSRF': csrf } : {};
}

export function withQuery(path: string, query?: Query): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value === null || value === undefined || value === '') continue;
    for (const item of Array.isArray(value) ? value : [value]) parameters.append(name, String(item));
  }
  const text = parameters.toString();
  return text ? `${path}?${text}` : path;
}

async function send(method: string, path: string, ask: Ask): Promise<Response> {
  const headers: Record<string, string> = { ...ask.headers };
  let body = ask.body;
  if (ask.json !== undefined) {
    headers['Content-Type'] = 'application/json';
    body = JSON.stringify(ask.json);
  }
  if (method !== 'GET') Object.assign(headers, csrfHeaders());
  let response: Response;
  try {
    response = await fetch(withQuery(path, ask.query), { method, headers, body, signal: ask.signal, credentials: 'same-origin' });
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error;
    throw new ApiError(0, 'The server cannot be reached. Check the connection and try again.');
  }
  if (!response.ok) throw await toError(response, path);
  return response;
}

async function toError(response: Response, path: string): Promise<ApiError> {
  const text = await response.text().catch(() => '');
  let found: { message: string; field: string | null } = { message: '', field: null };
  try {
    found = readError(JSON.parse(text));
  } catch {
    found.message = text.slice(0, 300);
  }
  const message = found.message || `The server answered ${response.status} ${response.statusText}.`.trim();
  const error = new ApiError(response.status, message, response.headers.get('x-request-id'), found.field);
  if (response.status === 401 && !path.startsWith('/ui/api/session')) onSignedOut();
  return error;
}

export function readError(body: unknown): { message: string; field: string | null } {
  if (typeof body === 'string') return { message: body, field: null };
  if (typeof body !== 'object' || body === null) return { message: '', field: null };
  const given = body as Record<string, unknown>;
  const inner = given.error ?? given.detail ?? given.message;
  if (typeof inner === 'string') return { message: inner, field: null };
  if (Array.isArray(inner)) {
    const problems = inner as { loc?: unknown[]; msg?: string }[];
    const last = problems[0]?.loc?.at(-1);
    return {
      message: problems.map((problem) => problem.msg ?? '').filter(Boolean).join(' '),
      field: last === undefined || last === 'body' ? null : String(last),
    };
  }
  if (typeof inner === 'object' && inner !== null) {
    const told = inner as { message?: string; field?: string | null };
    return { message: told.message ?? '', field: told.field ?? null };
  }
  return { message: '', field: null };
}

async function json<T>(method: string, path: string, ask: Ask = {}): Promise<T> {
  const response = await send(method, path, ask);
  const text = await response.text();
  return (text ? JSON.parse(text) : undefined) as T;
}

export const api = {
  get: <T>(path: string, ask?: Ask) => json<T>('GET', path, ask),
  post: <T>(path: string, body?: unknown, ask?: Ask) => json<T>('POST', path, { ...ask, json: body }),
  put: <T>(path: string, body?: unknown, ask?: Ask) => json<T>('PUT', path, { ...ask, json: body }),
  patch: <T>(path: string, body?: unknown, ask?: Ask) => json<T>('PATCH', path, { ...ask, json: body }),
  delete: <T>(path: string, ask?: Ask) => json<T>('DELETE', path, ask),
  raw: (method: string, path: string, ask: Ask = {}) => send(method, path, ask),
};

/** The result of a Pupil-style envelope. */
export async function enveloped<T>(answer: Promise<{ result: T }>): Promise<T> {
  return (await answer).result;
}

/** Sends a file with progress, which fetch cannot tell. */
export function upload<T>(
  method: 'POST' | 'PUT',
  path: string,
  body: FormData | Blob,
  onProgress: (share: number) => void,
  signal?: AbortSignal,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open(method, path);
    for (const [name, value] of Object.entries(path.startsWith('/files/') ? {} : csrfHeaders())) request.setRequestHeader(name, value);
    request.upload.onprogress = (event) => event.lengthComputable && onProgress(event.loaded / event.total);
    request.onerror = () => reject(new ApiError(0, 'The connection broke during the upload. Try again.'));
    request.onabort = () => reject(new DOMException('cancelled', 'AbortError'));
    request.onload = () => {
      if (request.status >= 200 && request.status < 300) {
        resolve((request.responseText ? JSON.parse(request.responseText) : undefined) as T);
        return;
      }
      let told = { message: '', field: null as string | null };
      try {
        told = readError(JSON.parse(request.responseText));
      } catch {
        told.message = request.responseText.slice(0, 300);
      }
      reject(new ApiError(request.status, told.message || `The server answered ${request.status}.`, request.getResponseHeader('x-request-id'), told.field));
    };
    signal?.addEventListener('abort', () => request.abort());
    request.send(body);
  });
}
