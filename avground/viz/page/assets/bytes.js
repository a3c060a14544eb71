function bytes(base64) {
  const text = atob(base64);
  const found = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) found[i] = text.charCodeAt(i);
  return found;
}

/** Maps, which are stored as whole numbers of 16 bits, each between its own smallest weight and its largest. */
function decode(base64, low, high) {
  const view = new DataView(bytes(base64).buffer);
  const cells = view.byteLength / 2 / low.length;
  return low.map((least, t) => Float64Array.from({ length: cells }, (_, s) =>
    least + (view.getUint16(2 * (t * cells + s), true) * (high[t] - least)) / 65535));
}
