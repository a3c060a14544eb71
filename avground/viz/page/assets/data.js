// What the page carries: JSON, and what is long as base64, a thing a line. Read when it is first asked for.

const block = (name) => document.getElementById(name).textContent;
const data = JSON.parse(block("data"));
let packed;

/** The maps of one model: for each segment the weights of all cells, row by row. */
function readMaps(attention) {
  packed ??= block("weights").split("\n");
  return decode(packed[attention.line], attention.low, attention.high);
}

const readFrame = (line) => `data:image/jpeg;base64,${line}`;
const frameLines = (footage) => (footage.frameStarts.length ? block(`frames-${footage.place}`).split("\n") : []);
const readFrames = (footage) => frameLines(footage).map(readFrame);

/** A URL of the video, to be revoked by whoever asked. A blob can be sought in, as a data URL cannot. */
function readVideo(footage) {
  const file = new Blob([bytes(block(`video-${footage.place}`))], { type: footage.type });
  return URL.createObjectURL(file);
}

data.footage.forEach((footage, k) => (footage.place = k));
