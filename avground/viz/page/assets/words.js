/** A word, shaded by its weight. */
const shadeWord = (word, share, ...more) =>
  place(make("span", { class: "word", title: `weight ${weight(share)}` }, word, more), { "--weight": share });

/** What a model looked for, with whatever weight lies on no word of the question. */
function drawWords(words, weights) {
  if (!weights) return make("p", { class: "note" }, "This model chooses no word.");
  const rest = 1 - weights.reduce((a, b) => a + b, 0);
  const sentence = words.map((word, n) => {
    const number = weights[n] < 0.0005 ? "0" : weights[n].toPrecision(2);
    return shadeWord(word, weights[n], make("span", { class: "unseen" }, ", weight "), make("small", {}, number));
  });
  const padding = rest > 0.001 && `${rest.toPrecision(2)} of the weight lies on padding, which is no word.`;
  return make("div", {}, make("p", { class: "sentence" }, sentence), padding && make("p", { class: "note" }, padding));
}
