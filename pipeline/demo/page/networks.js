// The networks side by side: the digit that each reads, and how sure it is of each of the ten.

/** Fills `section` with a card for each network. */
export function createNetworks(section, described) {
  const cards = described.map(createCard);
  section.replaceChildren(...cards.map((card) => card.element));

  return {
    /** Shows what each network reads, or that there is nothing to read. */
    show(answers) {
      cards.forEach((card, index) => card.show(answers?.[index]));
    },
    /** Returns the same in words. */
    spoken(answers) {
      const says = ({ digit, probabilities }, index) =>
        `${described[index].name}: ${digit}, ${percent(probabilities[digit])}.`;
      return answers.map(says).join(" ");
    },
  };
}

function createCard({ run, name, is }) {
  const element = make("article", "network");
  element.dataset.run = run;
  const digit = make("p", "digit");
  const bars = make("ol", "bars");
  const rows = Array.from({ length: 10 }, (_, number) => {
    const row = make("li");
    row.append(make("span", "", number), make("span", "bar"), make("span", "share"));
    return row;
  });
  bars.append(...rows);
  element.append(make("h2", "", name), make("p", "", is), digit, bars);

  function show(answer) {
    digit.textContent = answer?.digit ?? "?";
    digit.classList.toggle("none", !answer);
    rows.forEach((row, number) => {
      const share = answer?.probabilities[number];
      row.classList.toggle("first", number === answer?.digit);
      row.children[1].style.setProperty("--share", share ?? 0);
      row.children[2].textContent = share === undefined ? "" : percent(share);
    });
  }

  return { element, show };
}

function make(name, kind = "", text = "") {
  const element = document.createElement(name);
  element.className = kind;
  element.textContent = text;
  return element;
}

/** Returns a probability in percent; what would be rounded to certainty is only nearly so. */
function percent(share) {
  if (share > 0.9995) return ">99.9%";
  return share < 0.0005 ? "<0.1%" : `${(100 * share).toFixed(1)}%`;
}
