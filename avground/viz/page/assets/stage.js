/** The picture of a panel, with heat and outlines over it: a video, its mirror, frames, or a grid of cells. */
function drawStage(footage, frames, attention, outlines, clock, first) {
  const { media } = clock;
  const heat = make("canvas", { class: "heat" });
  const element = make("div", { class: "stage", role: "img", "aria-label": `Where ${attention.model} looked` });
  place(element, { "--columns": attention.columns, "--rows": attention.rows });
  const still = frames.length ? make("img", { alt: "", src: frames[0] }) : null;
  const picture = media ? (first ? media : make("canvas")) : still;
  picture?.classList.add("picture");
  element.append(...[picture, heat].filter(Boolean), drawOutlines(outlines));

  // The picture decides the shape once it is known; a map has cells that are square until then.
  const shape = (wide, high) => wide && place(element, { "--wide": wide, "--high": high });
  if (!picture) shape(attention.columns, attention.rows);
  else if (media) {
    const known = () => shape(media.videoWidth, media.videoHeight);
    known();
    media.addEventListener("loadedmetadata", known);
  } else picture.addEventListener("load", () => shape(picture.naturalWidth, picture.naturalHeight));

  /** A second video would run beside the first, not with it: other panels copy what the first shows. */
  function mirror() {
    if (media.readyState < 2) return;
    const wide = Math.min(media.videoWidth, 1280);
    const high = Math.round((media.videoHeight * wide) / media.videoWidth);
    if (picture.width !== wide || picture.height !== high) Object.assign(picture, { width: wide, height: high });
    picture.getContext("2d").drawImage(media, 0, 0, wide, high);
  }

  function show(time) {
    if (media) {
      if (!first) mirror();
    } else if (picture) {
      const source = frames[nearest(footage.frameStarts, time)];
      if (picture.src !== source) picture.src = source;
    }
  }
  return { element, heat, show };
}
