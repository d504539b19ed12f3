// An area is a mask: a canvas of the picture's size (or smaller), opaque where the area is.

export type Canvas = HTMLCanvasElement;

function blank(width: number, height: number): Canvas {
  const canvas = document.createElement('canvas');
  canvas.width = width;
  canvas.height = height;
  return canvas;
}

export function newMask(width: number, height: number): Canvas {
  const canvas = blank(width, height);
  // A mask is read again and again: whether it is empty, what lies under the pointer, what is sent.
  canvas.getContext('2d', { willReadFrequently: true });
  return canvas;
}

export function copyMask(mask: Canvas, made = newMask): Canvas {
  const copy = made(mask.width, mask.height);
  copy.getContext('2d')!.drawImage(mask, 0, 0);
  return copy;
}

export interface Shape {
  /** Corners in pixels of the mask. */
  points: { x: number; y: number }[];
  /** Width of a brush stroke along the points; 0 fills what they enclose. */
  stroke: number;
}

/** Add a shape to the mask, or cut it out. */
export function apply(mask: Canvas, shape: Shape, cut: boolean): void {
  const context = mask.getContext('2d')!;
  context.save();
  context.globalCompositeOperation = cut ? 'destination-out' : 'source-over';
  context.fillStyle = context.strokeStyle = '#fff';
  context.beginPath();
  for (const [at, point] of shape.points.entries()) if (at === 0) context.moveTo(point.x, point.y); else context.lineTo(point.x, point.y);
  if (shape.stroke > 0) {
    context.lineCap = context.lineJoin = 'round';
    context.lineWidth = shape.stroke;
    if (shape.points.length === 1) context.lineTo(shape.points[0]!.x + 0.01, shape.points[0]!.y);
    context.stroke();
  } else {
    context.closePath();
    context.fill();
  }
  context.restore();
}

export function isEmpty(mask: Canvas): boolean {
  const data = mask.getContext('2d')!.getImageData(0, 0, mask.width, mask.height).data;
  for (let at = 3; at < data.length; at += 4) if (data[at]! > 0) return false;
  return true;
}

export function contains(mask: Canvas, x: number, y: number): boolean {
  if (x < 0 || y < 0 || x >= mask.width || y >= mask.height) return false;
  return mask.getContext('2d')!.getImageData(Math.floor(x), Math.floor(y), 1, 1).data[3]! > 0;
}

/** What is shown of a mask: its colour, half transparent, with a rim in the colour inside a black one. */
export function paint(mask: Canvas, colour: string, options: { fill: boolean; rim: number }): Canvas {
  const shown = blank(mask.width, mask.height);
  const context = shown.getContext('2d')!;
  const tinted = (paintColour: string): Canvas => {
    const layer = copyMask(mask, blank);
    const inner = layer.getContext('2d')!;
    inner.globalCompositeOperation = 'source-in';
    inner.fillStyle = paintColour;
    inner.fillRect(0, 0, layer.width, layer.height);
    return layer;
  };
  const spread = (layer: Canvas, by: number) => {
    for (let step = 0; step < 12; step++) context.drawImage(layer, by * Math.cos((step * Math.PI) / 6), by * Math.sin((step * Math.PI) / 6));
  };
  spread(tinted('#000'), options.rim * 1.6);
  spread(tinted(colour), options.rim);
  context.globalCompositeOperation = 'destination-out';
  context.drawImage(mask, 0, 0);
  context.globalCompositeOperation = 'source-over';
  if (options.fill) {
    context.globalAlpha = 0.42;
    context.drawImage(tinted(colour), 0, 0);
  }
  return shown;
}

export async function readMask(dataUrl: string, width: number, height: number): Promise<Canvas> {
  const image = new Image();
  image.src = dataUrl;
  await image.decode();
  const mask = newMask(width, height);
  const context = mask.getContext('2d')!;
  context.imageSmoothingEnabled = false;
  context.drawImage(image, 0, 0, width, height);
  return mask;
}
