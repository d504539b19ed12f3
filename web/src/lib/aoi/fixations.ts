// Where people looked, one after the other, from the API's table.

export interface Fixation {
  /** In 0..1 of the picture. */
  x: number;
  y: number;
  ms: number;
}
export interface Scanpath {
  recording: string;
  fixations: Fixation[];
}

/** The rows of the table `fixations`, recording by recording in order of time. No cell of it is quoted. */
export function readFixations(csv: string): Scanpath[] {
  const paths: Scanpath[] = [];
  for (const line of csv.trim().split('\n').slice(1)) {
    const [recording = '', , , ms, x, y] = line.split(',');
    if (paths.at(-1)?.recording !== recording) paths.push({ recording, fixations: [] });
    paths.at(-1)!.fixations.push({ x: Number(x), y: Number(y), ms: Number(ms) });
  }
  return paths;
}

/** Radius of a fixation's circle in pixels of the screen: its area grows with the duration. */
export function radiusOf(fixation: Fixation): number {
  return Math.min(24, 3 + Math.sqrt(fixation.ms) / 3);
}
