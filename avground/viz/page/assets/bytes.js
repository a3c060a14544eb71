function bytes(base64) {
  const text = atob(base64);
  const found = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) found[i] = text.charCodeAt(i);
  return found;
}

/** Weights, which are stored as whole numbers of 16 bits in parts of the largest. */
function decode(base64, most) {
  const view = new DataView(bytes(base64).buffer);
  return Float64Array.from({ length: view.byteLength / 2 }, (_, i) => (view.getUint16(2 * i, true) * most) / 65535);
}
