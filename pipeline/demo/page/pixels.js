// Pictures of 28×28 pixels, and colours.

const SIDE = 28;
export const PIXELS = SIDE * SIDE;

/** Paints what the networks see, 784 greys of 0 to 255, as light ink on black; black for null. */
export function paintGrey(canvas, greys) {
  paint(canvas, (index) => {
    const grey = greys?.[index] ?? 0;
    return [grey, grey, grey];
  });
}

/** Paints 784 weights of -127 to 127: the paper's colour at 0, and one colour for each sign. */
export function paintSigned(canvas, weights) {
  const { paper, more, less } = themeColours();
  paint(canvas, (index) => {
    const weight = (weights?.[index] ?? 0) / 127;
    return mix(paper, weight > 0 ? more : less, Math.abs(weight));
  });
}

function paint(canvas, colour) {
  const image = new ImageData(SIDE, SIDE);
  for (let index = 0; index < PIXELS; index++) {
    image.data.set([...colour(index), 255], 4 * index);
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
}

/** Returns the colour between two, by the share of the second. */
export function mix(from, to, share) {
  return from.map((value, channel) => Math.round(value + (to[channel] - value) * share));
}

/** Returns the colours of the style sheet as red, green and blue. */
export function themeColours() {
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => {
    const hex = style.getPropertyValue(name).trim().replace(/^#(.)(.)(.)$/, "#$1$1$2$2$3$3");
    return [1, 3, 5].map((start) => parseInt(hex.slice(start, start + 2), 16));
  };
  return {
    paper: colour("--paper"),
    quiet: mix(colour("--ground"), colour("--bar"), 0.3),
    more: colour("--accent"),
    less: colour("--less"),
    text: colour("--text"),
  };
}
