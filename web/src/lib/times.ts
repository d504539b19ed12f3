// Addresses hold moments in UTC, so that they say the same everywhere; fields show them by the clock of who reads them.

/** As a field for a day and a time holds it; empty when it is no moment. */
export function toField(iso: string): string {
  const at = new Date(iso);
  if (Number.isNaN(at.getTime())) return '';
  return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

export function fromField(local: string): string | null {
  const at = new Date(local);
  return Number.isNaN(at.getTime()) ? null : at.toISOString();
}
