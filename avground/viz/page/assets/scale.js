// The two scales of a map, as avground.viz.true_scale and stretched_scale, and the colours of both.

const ROUNDING = 1e-6; // Differences below this share of the largest weight are those of single precision.

const SCALES = {
  true(map) {
    return map.map((w) => Math.max(0, Math.log(map.length * w) / Math.log(map.length)));
  },
  stretched(map) {
    const low = map.reduce((a, b) => Math.min(a, b));
    const high = largest(map);
    return map.map((w) => (high - low >= ROUNDING * high ? (w - low) / (high - low) : 0));
  },
};

// Inferno at 33 places: between them a straight line is within 2 of 255.
const INFERNO = `
  000004 040312 0b0724 150b37 210c4a 2e0a5a 3c0965 4a0c6b 57106d 63146e 70196e 7d1e6d 89226a 962766 a32b61 af315c bb3755
  c63e4d d14644 db4f3b e35932 eb6528 f1711e f67f14 f98d0a fb9c06 fcab0f fbba1f f9ca32 f5d949 f2e865 f3f586 fcffa4
`.trim().split(/\s+/).map((hex) => [0, 2, 4].map((at) => parseInt(hex.slice(at, at + 2), 16)));

/** Red, green and blue of a value from 0 to 1. */
function inferno(value) {
  const at = Math.min(Math.max(value, 0), 1) * (INFERNO.length - 1);
  const below = Math.min(Math.floor(at), INFERNO.length - 2);
  return INFERNO[below].map((dark, c) => dark + (INFERNO[below + 1][c] - dark) * (at - below));
}
