/** What one model made of a question: what it looked for, where, when, and what it answered. */
class Panel {
  constructor(view, attention, first) {
    const { example, footage, frames, clock, top } = view;
    this.attention = attention;
    this.maps = readMaps(attention);
    this.stage = drawStage(footage, frames, attention, example.outlines, clock, first);
    this.legend = drawLegend();
    this.timeline = drawTimeline(footage, frames, attention, top, clock);
    this.where = make("p", { class: "shown" });
    this.spread = make("p", { class: "spread" });
    this.when = make("p", { class: "shown" });
    const section = (name, title, ...children) => make("section", { class: name }, make("h4", {}, title), children);
    this.element = make("article", { class: "panel" },
      drawHead(attention, example.answer),
      section("for", "What it looked for", drawWords(example.words, attention.words)),
      section("where", "Where it looked", this.stage.element, this.where, this.spread, this.legend.element),
      section("when", "When it looked and listened", this.timeline.element, this.when),
      section("then", "What it answered", drawAnswers(attention.answers, example.answer)));
  }

  show(time, scale) {
    const { attention } = this;
    const t = nearest(attention.starts, time);
    const start = attention.starts[t];
    const inside = time >= start && time <= start + 1;
    write(this.where, `Map of second ${second(start)}, ${inside ? "shown at" : "nearest to"} ${time.toFixed(1)} s`);
    this.stage.show(time);
    this.timeline.show(time, t);
    if (t === this.t && scale === this.scale) return;
    [this.t, this.scale] = [t, scale];
    const [entropy, peak, contrast] = attention.spreads[t];
    const [visual, audio, uniform] = ["visual", "audio", "uniform"].map((name) => weight(attention[name][t]));
    const how = `largest ${peak.toFixed(2)} x flat, contrast ${contrast.toFixed(3)}`;
    write(this.spread, `entropy ${entropy.toFixed(3)}, ${how}`);
    write(this.when, `Second ${second(start)}: pictures ${visual}, sound ${audio}, no preference ${uniform}`);
    paintHeat(this.stage.heat, SCALES[scale](this.maps[t]), attention.rows, attention.columns);
    this.legend.show(scale, this.maps[t]);
  }
}

function drawHead({ model, answers: [[answer]] }, right) {
  const judged = verdict(answer, right);
  return make("header", {}, make("h3", {}, model),
    make("p", {}, answer, judged && [" ", make("em", { class: answer === right ? "right" : "wrong" }, judged)]));
}
