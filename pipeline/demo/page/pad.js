// Where one draws: by mouse, pen, finger or keyboard. Ink is what the canvas holds in its alpha channel.

const SIDE = 280; // pixels of the canvas, whatever its size on the screen
const SENT = 140; // ... and of what is sent
const STROKE = 22; // about as wide as a stroke of MNIST's where the digit fills the canvas
const STEP = 10; // pixels that an arrow key moves the pen
const CELL = 28; // pixels of an example

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** Makes the canvas in `element` one to draw on; `changed` takes the ink (140×140 bytes), or null for none. */
export function createPad(element, changed) {
  const canvas = element.querySelector("canvas");
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const pen = createPen(element.querySelector(".pen"));
  const lasts = new Map(); // where each pointer that draws was last

  function stroke(from, to) {
    Object.assign(context, { lineWidth: STROKE, lineCap: "round", strokeStyle: getComputedStyle(canvas).color });
    context.beginPath();
    context.moveTo(...from);
    context.lineTo(to[0] + 0.01, to[1]); // a line without any length would leave no dot
    context.stroke();
    announce();
  }

  function announce() {
    const ink = readInk(context);
    element.classList.toggle("drawn", ink !== null);
    changed(ink);
  }

  function clear() {
    context.clearRect(0, 0, SIDE, SIDE);
    announce();
  }

  function load(picture, place) {
    context.clearRect(0, 0, SIDE, SIDE);
    context.imageSmoothingQuality = "high";
    context.drawImage(picture, place * CELL, 0, CELL, CELL, 0, 0, SIDE, SIDE);
    recolour();
    announce();
  }

  /** Gives all ink the colour of the text, which changes with the colour scheme. */
  function recolour() {
    context.save();
    context.globalCompositeOperation = "source-in";
    context.fillStyle = getComputedStyle(canvas).color;
    context.fillRect(0, 0, SIDE, SIDE);
    context.restore();
  }

  function place(event) {
    const box = canvas.getBoundingClientRect();
    return [((event.clientX - box.left) / box.width) * SIDE, ((event.clientY - box.top) / box.height) * SIDE];
  }

  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    canvas.setPointerCapture(event.pointerId);
    pen.hide();
    lasts.set(event.pointerId, place(event));
    stroke(place(event), place(event));
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!lasts.has(event.pointerId)) return;
    for (const each of event.getCoalescedEvents?.() ?? [event]) {
      stroke(lasts.get(event.pointerId), place(each));
      lasts.set(event.pointerId, place(each));
    }
  });
  for (const end of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(end, (event) => lasts.delete(event.pointerId));
  }

  canvas.addEventListener("keydown", (event) => {
    const { key } = event;
    if (key in ARROWS) {
      const from = pen.at();
      pen.move(...ARROWS[key]);
      if (pen.isDown()) stroke(from, pen.at());
    } else if (key === " ") {
      if (pen.toggle()) stroke(pen.at(), pen.at());
    } else if (key === "Escape") {
      pen.lift();
      clear();
    } else {
      return;
    }
    event.preventDefault();
  });
  canvas.addEventListener("focus", () => canvas.matches(":focus-visible") && pen.show());
  canvas.addEventListener("blur", pen.hide);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", recolour);

  return { clear, load };
}

/** The pen that the keyboard moves: seen as a ring, filled while it draws. */
function createPen(ring) {
  let at = [SIDE / 2, SIDE / 4];
  let down = false;

  function show() {
    ring.hidden = false;
    ring.classList.toggle("down", down);
    ring.style.setProperty("left", `${(at[0] / SIDE) * 100}%`);
    ring.style.setProperty("top", `${(at[1] / SIDE) * 100}%`);
  }

  function lower(value) {
    down = value;
    show();
    return down;
  }

  return {
    at: () => at,
    isDown: () => down,
    toggle: () => lower(!down),
    lift: () => lower(false),
    move(x, y) {
      at = [at[0] + x * STEP, at[1] + y * STEP].map((value) => Math.min(Math.max(value, 0), SIDE));
      show();
    },
    show,
    hide() {
      ring.hidden = true;
    },
  };
}

/** Returns the alpha of the canvas at half its size, a byte a pixel, or null where there is none. */
function readInk(context) {
  const { data } = context.getImageData(0, 0, SIDE, SIDE);
  const alpha = (x, y) => data[4 * (y * SIDE + x) + 3];
  const ink = new Uint8Array(SENT * SENT);
  for (let y = 0; y < SENT; y++) {
    for (let x = 0; x < SENT; x++) {
      const [left, top] = [2 * x, 2 * y];
      const sum = alpha(left, top) + alpha(left + 1, top) + alpha(left, top + 1) + alpha(left + 1, top + 1);
      ink[y * SENT + x] = sum / 4;
    }
  }
  return ink.some((value) => value > 0) ? ink : null;
}
