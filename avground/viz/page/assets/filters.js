// Which examples are shown, in which order, and what is said of them.

const ORDERS = {
  "": ["as in the data", null],
  sure: ["surest answer first", (a, b) => b.share - a.share],
  unsure: ["least sure answer first", (a, b) => a.share - b.share],
  sharp: ["lowest entropy first", (a, b) => a.entropy - b.entropy],
  spread: ["highest entropy first", (a, b) => b.entropy - a.entropy],
  peak: ["largest x flat first", (a, b) => b.peak - a.peak],
  flat: ["smallest x flat first", (a, b) => a.peak - b.peak],
};

/** What is filtered and sorted by, of each example; the spread is that of the map on its card. */
const entries = data.examples.map((example, index) => {
  const [first] = example.attention;
  const t = first.visual.indexOf(largest(first.visual));
  const [entropy, peak] = first.spreads[t];
  const result = example.right === null ? "unknown" : example.right ? "right" : "wrong";
  const [modality, kind] = example.type ?? [];
  return { index, t, entropy, peak, result, modality, kind, share: first.answers[0][1] };
});

/** What is searched, in small letters; made when it is first searched. */
function searched(entry) {
  const example = data.examples[entry.index];
  const answers = example.attention.flatMap((one) => one.answers[0][0]);
  const { id } = data.footage[example.footage];
  return (entry.text ??= [example.asked, ...answers, example.answer, id].join("\n").toLowerCase());
}

/** The entries that fit all of what is asked, every word of the search in its place or another. */
function choose({ q, modality, kind, result, sort }) {
  const words = q.toLowerCase().split(/\s+/).filter(Boolean);
  const found = entries.filter((entry) =>
    (!modality || entry.modality === modality) && (!kind || entry.kind === kind) && (!result || entry.result === result)
    && words.every((word) => searched(entry).includes(word)));
  const order = ORDERS[sort][1];
  return order ? found.sort(order) : found;
}

function describeChosen(found) {
  const right = found.filter((entry) => entry.result === "right").length;
  const known = found.filter((entry) => entry.result !== "unknown").length;
  const shown = `${count(found.length)} of ${count(entries.length)} questions`;
  if (!known) return shown;
  return `${shown}; accuracy ${percent(right / known)}: ${count(right)} right of ${count(known)} with a known answer`;
}

/** Choices of the form that the data decide. */
function fillForm(form) {
  for (const name of ["modality", "kind"]) {
    const values = [...new Set(entries.map((entry) => entry[name]))].filter(Boolean).sort();
    form.elements[name].append(...values.map((value) => make("option", {}, value)));
  }
  form.elements.sort.append(...Object.entries(ORDERS).map(([value, [text]]) => make("option", { value }, text)));
}
