/** Paint a map with a pixel a cell; the style of the canvas stretches it over the whole picture. */
function paintHeat(canvas, values, rows, columns) {
  canvas.width = columns;
  canvas.height = rows;
  const image = new ImageData(columns, rows);
  values.forEach((value, cell) => {
    // Where there is no heat the picture stays as it is.
    image.data.set([...inferno(value), 255 * Math.sqrt(Math.min(value, 1))], 4 * cell);
  });
  canvas.getContext("2d").putImageData(image, 0, 0);
}

/** Lines around what is known to be somewhere: solid for the target, dashed for the rest, all named. */
function drawOutlines(outlines) {
  return make("div", { class: "outlines" }, outlines.filter(({ cells }) => cells.length).map((outline) => {
    const { cells, rows, columns, target } = outline;
    const path = edges(cells);
    const box = { viewBox: `0 0 ${columns} ${rows}`, preserveAspectRatio: "none", "aria-hidden": "true" };
    const lines = ["halo", "line"].map((kind) => draw("path", { class: kind, d: path }));
    return make("div", { class: target ? "outline target" : "outline" }, draw("svg", box, lines), nameOutline(outline));
  }));
}

/** The name stands in the upper corner that lies farther inside the picture. */
function nameOutline({ name, cells, rows, columns, target }) {
  const across = cells.map((cell) => cell[1]);
  const [left, right] = [Math.min(...across), columns - 1 - Math.max(...across)];
  const side = right < left ? { right: part(right / columns) } : { left: part(left / columns) };
  const top = part(Math.min(...cells.map((cell) => cell[0])) / rows);
  return place(make("span", {}, target ? `${name} (target)` : name), { top, ...side });
}

/** The sides of cells that no other of the cells shares. */
function edges(cells) {
  const inside = new Set(cells.map(String));
  const sides = [];
  for (const [row, column] of cells) {
    if (!inside.has(`${row - 1},${column}`)) sides.push(`M${column} ${row}h1`);
    if (!inside.has(`${row + 1},${column}`)) sides.push(`M${column} ${row + 1}h1`);
    if (!inside.has(`${row},${column - 1}`)) sides.push(`M${column} ${row}v1`);
    if (!inside.has(`${row},${column + 1}`)) sides.push(`M${column + 1} ${row}v1`);
  }
  return sides.join("");
}

const MARKS = [1, 2, 5, 10, 20, 50, 100, 200];

/** The colours of the scale that is shown, with what they stand for. */
function drawLegend() {
  const bar = make("canvas", { class: "heat" });
  paintHeat(bar, Array.from({ length: 256 }, (_, i) => i / 255), 1, 256);
  const marks = make("div", { class: "marks" });
  const name = make("p");
  const element = make("div", { class: "legend" }, name, bar, marks);

  function show(scale, map) {
    const s = map.length;
    const flat = (w) => `${(s * w).toPrecision(3)} x flat`;
    const low = map.reduce((a, b) => Math.min(a, b));
    const ticks = scale === "true"
      ? [...MARKS.filter((x) => x <= Math.max(1, s / 3)).map((x) => [Math.log(x) / Math.log(s), x]), [1, `${s} = all`]]
      : [[0, `${weight(low)} = ${flat(low)}`], [1, `${weight(largest(map))} = ${flat(largest(map))}`]];
    write(name, scale === "true"
      ? "True scale, in multiples of a flat map: the same for all maps and models"
      : "Stretched from this map\u2019s smallest weight to its largest: shows where, not how much");
    marks.replaceChildren(...ticks.map(([at, text]) => place(make("span", {}, text), { "--at": at })));
  }
  return { element, show };
}
