/** When a model looked and listened: pictures and their weights upwards, sound and its weights downwards. */
function drawTimeline(footage, frames, attention, top, clock) {
  const { seconds } = footage;
  const { starts, uniform } = attention;
  const span = (t) => [part(starts[t] / seconds), part(Math.min(1, seconds - starts[t]) / seconds)];

  /** Bars, and the dotted line of a model without preference, which runs half way to the neighbours. */
  function half(name, weights, down) {
    const bars = weights.map((w, t) => {
      const [x, width] = span(t);
      const height = w / top;
      const title = `second ${second(starts[t])}: ${name} ${weight(w)}, no preference ${weight(uniform[t])}`;
      const bar = { class: name, x, width, height: part(height), y: down ? 0 : part(1 - height) };
      return draw("rect", bar, draw("title", {}, title));
    });
    const lines = uniform.map((u, t) => {
      const y = part(down ? u / top : 1 - u / top);
      const from = t ? (starts[t - 1] + 1 + starts[t]) / 2 : 0;
      const to = t < starts.length - 1 ? (starts[t] + 1 + starts[t + 1]) / 2 : seconds;
      return draw("line", { class: "uniform", x1: part(from / seconds), x2: part(to / seconds), y1: y, y2: y });
    });
    return draw("svg", { class: `half ${name}` }, bars, lines);
  }

  /** From one frame to the next. */
  const between = (k) => ({
    left: part(footage.frameStarts[k] / seconds),
    width: part(((footage.frameStarts[k + 1] ?? seconds) - footage.frameStarts[k]) / seconds),
  });
  const strip = frames.length > 0 && make("div", { class: "strip", "aria-hidden": "true" },
    frames.map((source, k) => place(make("img", { src: source, alt: "", draggable: "false" }), between(k))));
  const band = make("div", { class: "band" });
  const head = make("div", { class: "head" });
  const track = make("div", { class: "track" },
    strip, band, half("pictures", attention.visual), half("sound", attention.audio, true),
    drawWave(footage.wave), drawAxis(seconds), head);
  const names = make("div", { class: "names", "aria-hidden": "true", "data-wave": footage.wave !== null },
    make("span", { class: "pictures" }, "seen"), make("span", { class: "sound" }, "heard"));
  const element = make("div", { class: "timeline", role: "img", "aria-label": describe(attention) }, names, track);
  followPointer(track, seconds, clock);

  function show(time, t) {
    place(head, { left: part(time / seconds) });
    const [left, width] = span(t);
    place(band, { left, width });
  }
  return { element, show };
}

function describe({ starts, audio, visual }) {
  const peak = (weights) => {
    const most = largest(weights);
    return `${weight(most)} at second ${second(starts[weights.indexOf(most)])}`;
  };
  return `Attention over time. Most to the pictures: ${peak(visual)}. Most to the sound: ${peak(audio)}.`;
}

function drawWave(base64) {
  if (base64 === null) return null;
  const wave = bytes(base64);
  const bars = Array.from(wave, (amplitude, i) => `M${i + 0.5} ${-amplitude - 2}V${amplitude + 2}`);
  const box = { viewBox: `0 -257 ${wave.length} 514`, preserveAspectRatio: "none", "aria-hidden": "true" };
  return draw("svg", { class: "wave", ...box }, draw("path", { d: bars.join("") }));
}

function drawAxis(seconds) {
  const steps = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60];
  const step = steps.find((size) => seconds / size <= 7) ?? 60 * Math.ceil(seconds / 420);
  const marks = Array.from({ length: Math.floor(seconds / step) + 1 }, (_, k) => k * step);
  return make("div", { class: "axis", "aria-hidden": "true" }, marks.map((time) =>
    place(make("span", {}, `${second(time)}${time ? "" : " s"}`), { left: part(time / seconds) })));
}

/** Pressing and dragging on a track moves the playhead. */
function followPointer(track, seconds, clock) {
  const seek = (event) => {
    const box = track.getBoundingClientRect();
    clock.seek(((event.clientX - box.left) / box.width) * seconds);
  };
  track.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    track.setPointerCapture(event.pointerId);
    seek(event);
  });
  track.addEventListener("pointermove", (event) => {
    if (track.hasPointerCapture(event.pointerId)) seek(event);
  });
}
