// The hidden units: which of them fire, and what each looks for.

import { mix, paintSigned, PIXELS, themeColours } from "./pixels.js";

const CELL = 16; // pixels of the canvas that a unit takes

/** `outgoing` holds what each unit adds to the score of each digit, `weights` its 784 incoming weights. */
export function createHidden(outgoing, weights) {
  const [canvas, picture] = ["hidden", "weights"].map((id) => document.getElementById(id));
  const words = (id, text) => (document.getElementById(id).textContent = text);
  const count = outgoing.length;
  const columns = Math.ceil(Math.sqrt(count));
  const rows = Math.ceil(count / columns);
  canvas.width = columns * CELL;
  canvas.height = rows * CELL;
  let activations = null;
  let pointed = null; // the unit under the pointer, while it is there
  let chosen = null; // by tap or key, till another is

  function show(newest) {
    activations = newest ?? null;
    const firing = activations?.filter((value) => value > 0).length ?? 0;
    words("fired", activations ? `${firing} of ${count} fire. Point at one, or tap it.` : `All ${count} are silent.`);
    paint();
  }

  function paint() {
    const unit = pointed ?? chosen ?? strongest();
    paintUnits(canvas, activations ?? [], count, columns, unit);
    paintSigned(picture, unit === null ? null : weights.subarray(unit * PIXELS, (unit + 1) * PIXELS));
    words("unit", unit === null ? "One unit’s weights" : `Unit ${unit + 1}`);
    words("votes", unit === null ? "" : `${state(unit)}, speaks for ${best(unit, 1)} and against ${best(unit, -1)}.`);
    picture.dataset.unit = unit === null ? "" : unit + 1;
  }

  function strongest() {
    return activations && activations.indexOf(Math.max(...activations));
  }

  function state(unit) {
    const value = activations?.[unit] ?? 0;
    return value > 0 ? `fires at ${value.toFixed(1)}` : "is silent";
  }

  function best(unit, sign) {
    const votes = outgoing[unit].map((value) => sign * value);
    return votes.indexOf(Math.max(...votes));
  }

  function at(event) {
    const box = canvas.getBoundingClientRect();
    const column = Math.floor(((event.clientX - box.left) / box.width) * columns);
    const row = Math.floor(((event.clientY - box.top) / box.height) * rows);
    const unit = row * columns + column;
    return column >= 0 && column < columns && unit >= 0 && unit < count ? unit : null;
  }

  canvas.addEventListener("pointermove", (event) => {
    pointed = at(event);
    paint();
  });
  canvas.addEventListener("pointerleave", () => {
    pointed = null;
    paint();
  });
  canvas.addEventListener("click", (event) => {
    chosen = at(event) === chosen ? null : at(event);
    paint();
  });
  canvas.addEventListener("keydown", (event) => {
    const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns };
    if (event.key === "Escape") {
      chosen = null;
    } else if (event.key in steps) {
      const next = (chosen ?? strongest() ?? 0) + steps[event.key];
      if (next >= 0 && next < count) chosen = next;
    } else {
      return;
    }
    event.preventDefault();
    paint();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", paint);

  return { show };
}

function paintUnits(canvas, activations, count, columns, marked) {
  const context = canvas.getContext("2d");
  const { quiet, more, text } = themeColours();
  const most = Math.max(...activations, 1e-9);
  context.clearRect(0, 0, canvas.width, canvas.height);
  for (let unit = 0; unit < count; unit++) {
    const [x, y] = [(unit % columns) * CELL, Math.floor(unit / columns) * CELL];
    context.fillStyle = `rgb(${mix(quiet, more, Math.max(activations[unit] ?? 0, 0) / most)})`;
    context.beginPath();
    context.roundRect(x + 1, y + 1, CELL - 2, CELL - 2, 3);
    context.fill();
    if (unit === marked) {
      Object.assign(context, { strokeStyle: `rgb(${text})`, lineWidth: 2 });
      context.stroke();
    }
  }
}
