/** A card: the frame that was looked at most with its heat, the question, and how it was answered. */
function drawCard(entry, scale, address) {
  const example = data.examples[entry.index];
  const [first] = example.attention;
  const [answer, share] = first.answers[0];
  const judged = verdict(answer, example.answer);
  const words = example.words.flatMap((word, n) => [first.words ? shadeWord(word, first.words[n]) : word, " "]);
  return make("a", { class: "card", href: address },
    drawThumbnail(entry, first, scale),
    make("span", { class: "facts" }, example.type ? example.type.join(", ") : "no type"),
    make("span", { class: "question" }, words),
    make("span", { class: "result" },
      make("b", {}, answer), ` ${percent(share)} `,
      judged && make("em", { class: example.right ? "right" : "wrong" }, judged),
      example.right === false && make("span", { class: "facts" }, `right answer: ${example.answer}`)),
    make("span", { class: "spread" }, [
      `second ${second(first.starts[entry.t])}: `,
      `entropy ${entry.entropy.toFixed(2)}, ${entry.peak.toFixed(1)} x flat`,
    ]));
}

function drawThumbnail(entry, attention, scale) {
  const footage = data.footage[data.examples[entry.index].footage];
  const lines = frameLines(footage);
  const stage = place(make("span", { class: "stage" }), { "--columns": attention.columns, "--rows": attention.rows });
  if (lines.length) {
    const image = make("img", { class: "picture", alt: "", decoding: "async" });
    image.addEventListener("load", () => place(stage, { "--wide": image.naturalWidth, "--high": image.naturalHeight }));
    image.src = readFrame(lines[nearest(footage.frameStarts, attention.starts[entry.t] + 0.5)]);
    stage.append(image);
  }
  const heat = make("canvas", { class: "heat" });
  paintHeat(heat, SCALES[scale](readMaps(attention)[entry.t]), attention.rows, attention.columns);
  stage.append(heat);
  return make("span", { class: "thumbnail" }, stage);
}
