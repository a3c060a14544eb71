// Keys of a view. They do nothing while text is written or a control has a use of its own for them.

const KEYS = [
  ["Space", "play or pause"], ["\u2190 \u2192", "0.1 s, with Shift 1 s"], [", .", "previous, next second looked at"],
  ["Home End", "begin, end"], ["S", "scale"], ["O", "outlines"], ["C", "smooth or crisp"], ["M", "mute"],
];

function drawKeys() {
  return make("p", { class: "keys" }, "Keys: ", KEYS.map(([keys, what]) =>
    make("span", {}, keys.split(" ").map((key) => make("kbd", {}, key)), ` ${what}`)));
}

function taken(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return true;
  const { target, key } = event;
  if (target.matches("select, textarea, input[type=search]")) return true;
  if (key === " ") return target.matches("button, a, input:not(.scrub)");
  return key.length > 1 && target.matches("input[type=radio], input[type=range]:not(.scrub)");
}

/** What a key does, or nothing. */
function action(view, { key, shiftKey }) {
  const { clock, settings } = view;
  const move = (by) => () => clock.seek(clock.time + by);
  const size = shiftKey ? 1 : 0.1;
  return {
    " ": () => clock.toggle(),
    ArrowLeft: move(-size),
    ArrowRight: move(size),
    ",": () => view.jump(-1),
    ".": () => view.jump(1),
    Home: () => clock.seek(0),
    End: () => clock.seek(clock.seconds),
    s: () => view.change({ scale: settings.scale === "true" ? "stretched" : "true" }),
    o: () => view.change({ outlines: !settings.outlines }),
    c: () => view.change({ smooth: !settings.smooth }),
    m: () => view.transport.mute?.button.click(),
  }[key.length > 1 ? key : key.toLowerCase()];
}
