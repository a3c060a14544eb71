const newSettings = () => ({ scale: "true", opacity: 85, outlines: true, smooth: false });

/** A question about a video, and its models side by side. */
class View {
  constructor(example, settings) {
    this.example = example;
    this.settings = settings;
    this.footage = data.footage[example.footage];
    this.frames = readFrames(this.footage);
    this.top = largest(example.attention.flatMap((one) => [...one.audio, ...one.visual, ...one.uniform]));
    this.element = make("div", { class: "view" });
    this.onKey = (event) => {
      const act = !event.defaultPrevented && !taken(event) && action(this, event);
      if (!act) return;
      event.preventDefault();
      act();
    };
    document.addEventListener("keydown", this.onKey);
    this.open(this.footage.type !== null);
  }

  open(withVideo) {
    const { example, footage, settings } = this;
    this.url = withVideo ? readVideo(footage) : null;
    const media = withVideo ? make("video", { src: this.url, playsinline: true, preload: "auto" }) : null;
    media?.addEventListener("error", () => this.withoutVideo());
    this.clock = new Clock(footage.seconds, media);
    this.panels = example.attention.map((one, k) => new Panel(this, one, k === 0));
    this.transport = drawTransport(this.clock);
    this.status = make("p", { class: "unseen", role: "status" });
    const panels = this.panels.map((panel) => panel.element);
    this.body = make("div", { class: "panels", "data-count": panels.length }, panels);
    this.controls = drawSettings(settings, example.outlines.length > 0, (some) => this.change(some));
    const question = drawQuestion(example, footage, withVideo || footage.type === null);
    const head = make("div", { class: "head-row" }, question, this.controls);
    this.element.replaceChildren(head, this.body, this.transport.element, drawKeys(), this.status);
    this.clock.addEventListener("tick", () => this.show());
    this.change({});
    this.clock.seek(this.start());
  }

  /** The middle of the second that the first model looked at most: there is something to see. */
  start() {
    const { starts, visual } = this.example.attention[0];
    return starts[visual.indexOf(largest(visual))] + 0.5;
  }

  withoutVideo() {
    if (this.closed) return;
    URL.revokeObjectURL(this.url);
    this.open(false);
  }

  change(some) {
    Object.assign(this.settings, some);
    const { scale, opacity, outlines, smooth } = this.settings;
    for (const input of this.controls.querySelectorAll("input")) {
      if (input.type === "radio") input.checked = input.value === scale;
      else if (input.type === "checkbox") input.checked = this.settings[input.name];
    }
    place(this.body, { "--opacity": opacity / 100 });
    this.body.classList.toggle("bare", !outlines);
    this.body.classList.toggle("smooth", smooth);
    this.show();
  }

  /** To the next second that some model looked at, or the one before. */
  jump(by) {
    const starts = this.example.attention.flatMap((one) => one.starts);
    const middles = starts.map((start) => Math.min(start + 0.5, this.footage.seconds)).sort((a, b) => by * (a - b));
    const next = middles.find((middle) => by * (middle - this.clock.time) > 0.001);
    if (next !== undefined) this.clock.seek(next);
  }

  show() {
    const { clock } = this;
    for (const panel of this.panels) panel.show(clock.time, this.settings.scale);
    this.transport.show();
    clearTimeout(this.later);
    // Read out once all is quiet, not for each picture that plays.
    const tell = () => write(this.status, this.panels.map((panel) => panel.where.textContent).join(". "));
    if (!clock.playing) this.later = setTimeout(tell, 500);
  }

  close() {
    this.closed = true;
    document.removeEventListener("keydown", this.onKey);
    const { media } = this.clock;
    this.clock.pause();
    clearTimeout(this.later);
    if (media) {
      media.removeAttribute("src"); // Browsers hold a few players only, and wait long to let go of one.
      media.load();
      URL.revokeObjectURL(this.url);
    }
    this.element.remove();
  }
}

function drawQuestion(example, footage, playable) {
  const right = example.answer !== null && `right answer: ${example.answer}`;
  const facts = [example.type?.join(", "), `video ${footage.id}`, right];
  const notes = [...example.notes, ...footage.notes, ...(playable ? [] : ["This browser cannot play the video."])];
  return make("div", { class: "asked" },
    make("h2", {}, example.asked),
    make("p", { class: "facts" }, facts.filter(Boolean).map((fact) => make("span", {}, fact))),
    notes.length > 0 && make("ul", { class: "notes" }, notes.map((note) => make("li", {}, note))));
}
