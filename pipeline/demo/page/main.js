// The page: what is drawn goes to the server, and what the networks make of it comes back.

import { createPad } from "./pad.js";
import { latestOnly, read } from "./server.js";
import { createNetworks } from "./networks.js";
import { createHidden } from "./hidden.js";
import { paintGrey } from "./pixels.js";

const SPEAK_AFTER = 500; // ms of rest, or a screen reader would never come to an end

const find = (selector) => document.querySelector(selector);

async function start() {
  const [described, weights] = await Promise.all([read("networks"), read("weights")]);
  const networks = createNetworks(find(".networks"), described.networks);
  const hidden = createHidden(described.outgoing, new Int8Array(weights));
  const speak = afterRest((text) => (find("#spoken").textContent = text), SPEAK_AFTER);

  function show(answer) {
    networks.show(answer?.networks);
    hidden.show(answer?.hidden);
    paintGrey(find("#seen"), answer?.image);
    speak(answer ? networks.spoken(answer.networks) : "Nothing is drawn.");
  }

  const ask = latestOnly(show, (fault) => {
    find("#fault").hidden = !fault;
    find("#fault").textContent = fault ?? "";
  });
  const pad = createPad(find(".pad"), ask);
  find("#clear").addEventListener("click", pad.clear);
  await addExamples(find(".examples"), pad);
  show(null);
  document.body.dataset.ready = "yes";
}

/** Adds a button for each digit in examples.png, which holds them side by side. */
async function addExamples(group, pad) {
  const picture = new Image();
  picture.src = "examples.png";
  await picture.decode();
  for (let digit = 0; digit < 10; digit++) {
    const button = document.createElement("button");
    const ink = document.createElement("span");
    button.type = "button";
    button.ariaLabel = `Example of a ${digit}`;
    ink.style.setProperty("--digit", digit);
    button.append(ink);
    button.addEventListener("click", () => pad.load(picture, digit));
    group.append(button);
  }
}

/** Returns a function that does the same once it hasn't been called for so long. */
function afterRest(act, rest) {
  let timer;
  return (...values) => {
    clearTimeout(timer);
    timer = setTimeout(() => act(...values), rest);
  };
}

start().catch(() => {
  find("#fault").hidden = false;
  find("#fault").textContent = "The server doesn’t answer. Start it again with `make demo`, then reload.";
});
