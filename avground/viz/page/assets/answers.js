const verdict = (answer, right) => (right === null ? "" : answer === right ? "\u2713 right" : "\u2717 wrong");

/** Answers with their probabilities; which is right, and whether the first is, is told in words and signs. */
function drawAnswers(answers, right) {
  const items = answers.map(([answer, share], rank) => {
    const mark = rank === 0 || answer === right ? verdict(answer, right) : "";
    return make("li", { class: answer === right ? "right" : "" },
      make("span", { class: "answer" }, answer, mark && [" ", make("em", {}, mark)]),
      make("span", { class: "share" }, percent(share)),
      make("span", { class: "bar" }, place(make("span"), { width: part(share) })));
  });
  const missing = right !== null && !answers.some(([answer]) => answer === right);
  return make("div", { class: "answers" }, make("ol", {}, items),
    missing && make("p", { class: "note" }, `The right answer, ${right}, is not among these.`));
}
