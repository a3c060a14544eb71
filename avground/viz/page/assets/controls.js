// The controls that all panels of a view share.

/** Scale, heat, outlines and sharpness; `settings` keeps them from one example to the next. */
function drawSettings(settings, hasOutlines, changed) {
  const scale = (value) => make("label", {}, make("input", {
    type: "radio", name: "scale", value, checked: settings.scale === value, change: () => changed({ scale: value }),
  }), make("span", {}, value));
  const tick = (name, text) => make("label", { class: "choice" }, make("input", {
    type: "checkbox", name, checked: settings[name], change: ({ target }) => changed({ [name]: target.checked }),
  }), text);
  const opacity = make("input", {
    type: "range", name: "opacity", min: 0, max: 100, value: settings.opacity,
    input: ({ target }) => changed({ opacity: Number(target.value) }),
  });
  return make("div", { class: "settings" },
    make("fieldset", { class: "pills" }, make("legend", {}, "Scale"), scale("true"), scale("stretched")),
    make("label", { class: "choice" }, "Heat", opacity),
    hasOutlines && tick("outlines", "Outlines"),
    tick("smooth", "Smooth"));
}

const ICONS = {
  play: "M8 5v14l11-7z",
  pause: "M7 5h3.5v14H7zM13.5 5H17v14h-3.5z",
  loud: "M4 9v6h4l5 5V4L8 9zM16 8q3 4 0 8l1.2 1q4-5 0-10z",
  silent: "M4 9v6h4l5 5V4L8 9zM15.5 9l6 6 1-1-6-6zM21.5 8l-6 6 1 1 6-6z",
};

/** A button whose sign, and name, say what it does now. */
function drawButton(name, click) {
  const path = draw("path");
  const sign = draw("svg", { viewBox: "0 0 24 24", "aria-hidden": "true" }, path);
  const button = make("button", { type: "button", class: name, click }, sign);

  function show(icon, label) {
    path.setAttribute("d", ICONS[icon]);
    button.setAttribute("aria-label", label);
  }
  return { button, show };
}

/** Play, scrub, mute; stays in sight. */
function drawTransport(clock) {
  const { media } = clock;
  const play = drawButton("play", () => clock.toggle());
  const scrub = make("input", {
    type: "range", class: "scrub", min: 0, max: clock.seconds, step: "any", "aria-label": "Second of the video",
    input: () => clock.seek(Number(scrub.value)),
  });
  const time = make("span", { class: "time" });
  const mute = media && drawButton("mute", () => (media.muted = !media.muted));
  media?.addEventListener("volumechange", () => show());
  const parts = [play.button, scrub, time, mute?.button];
  const element = make("div", { class: "transport", role: "group", "aria-label": "Playing" }, parts);

  function show() {
    play.show(...(clock.playing ? ["pause", "Pause"] : ["play", "Play"]));
    mute?.show(...(media.muted ? ["silent", "Unmute"] : ["loud", "Mute"]));
    const now = `${clock.time.toFixed(1)} / ${second(clock.seconds)} s`;
    scrub.value = clock.time;
    scrub.setAttribute("aria-valuetext", `${clock.time.toFixed(1)} seconds of ${second(clock.seconds)}`);
    write(time, now);
  }
  return { element, show, mute };
}
