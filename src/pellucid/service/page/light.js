// Mixing pictures in linear light, so that the strength slider needs no new separation.

const decode = new Float32Array(256).map((_, code) => {
  const value = code / 255;
  return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
});

const STEPS = 4096;
const encode = new Uint8ClampedArray(STEPS + 1).map((_, step) => {
  const light = step / STEPS;
  return 255 * (light <= 0.0031308 ? 12.92 * light : 1.055 * light ** (1 / 2.4) - 0.055);
});

/**
 * Mix photo and layer into target, all of them ImageData of one size.
 * weight: 0 = the photo, 1 = the layer; region: opacity of each pixel's effect, or null.
 */
export function mix(photo, layer, weight, region, target) {
  const from = photo.data, to = layer.data, out = target.data;
  for (let at = 0; at < from.length; at += 4) {
    const share = region ? (weight * region.data[at + 3]) / 255 : weight;
    for (let c = at; c < at + 3; c++) {
      const light = decode[from[c]] + share * (decode[to[c]] - decode[from[c]]);
      out[c] = share ? encode[Math.round(STEPS * light)] : from[c];
    }
    out[at + 3] = from[at + 3];
  }
  return target;
}
