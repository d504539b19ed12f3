import type { Job } from './types';

const KINDS: Record<string, string> = {
  'serving.build': 'Build of a model version',
  'serving.clean': 'Clean-up of models',
  'samples.delete_blobs': 'Removal of images',
};

export function jobTitle(job: Pick<Job, 'kind' | 'id'>): string {
  const known = KINDS[job.kind];
  if (known) return `${known} (job ${job.id})`;
  const [domain = '', ...rest] = job.kind.split('.');
  const words = rest.join(' ').replaceAll('_', ' ');
  return `${domain.charAt(0).toUpperCase()}${domain.slice(1)}: ${words} (job ${job.id})`;
}

const relative = new Intl.RelativeTimeFormat('en', { numeric: 'auto' });
const STEPS: [Intl.RelativeTimeFormatUnit, number][] = [
  ['year', 31_536_000], ['month', 2_592_000], ['day', 86_400], ['hour', 3600], ['minute', 60], ['second', 1],
];

export function ago(time: string | null | undefined, now = Date.now()): string {
  if (!time) return '–';
  const seconds = (new Date(time).getTime() - now) / 1000;
  const [unit, length] = STEPS.find(([, size]) => Math.abs(seconds) >= size) ?? ['second', 1];
  return relative.format(Math.round(seconds / length), unit);
}

export function moment(time: string | null | undefined): string {
  return time ? new Date(time).toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'medium' }) : '–';
}

export function seconds(value: number | null | undefined): string {
  if (value === null || value === undefined) return '–';
  if (value < 1) return `${Math.round(value * 1000)} ms`;
  if (value < 60) return `${value.toFixed(1)} s`;
  return `${Math.floor(value / 60)} min ${Math.round(value % 60)} s`;
}

export function bytes(value: number | null | undefined): string {
  if (value === null || value === undefined) return '–';
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let step = 0;
  let rest = value;
  while (rest >= 1000 && step < units.length - 1) {
    rest /= 1000;
    step++;
  }
  return `${step === 0 ? rest : rest.toFixed(rest < 10 ? 1 : 0)} ${units[step]}`;
}

export function count(value: number): string {
  return value.toLocaleString('en').replaceAll(',', '\u202f');
}

/** A number with the word for what it counts. */
export function some(number: number, what: string): string {
  return `${count(number)} ${what}${number === 1 ? '' : 's'}`;
}
