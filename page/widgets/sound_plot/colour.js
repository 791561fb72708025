// Colour

// Low values fade into the page: white on the light theme, near-black on the dark one. Viridis keeps its own ends.
const VIRIDIS = "440154 472d7b 3b528b 2c728e 21918c 28ae80 5ec962 addc30 fde725";
const SCALES = {
  blues: ["ffffff e4eef9 bfd8ef 8ab8e0 5293cb 2b6cab 144a85 0a2c5c",
          "15181e 182b43 1c4570 2867a2 4a90d0 87b9e9 c4ddf7 f2f8ff"],
  oranges: ["ffffff fdecdc fbcfa6 f4a561 df7a2c b8560f 8a3b08 562205",
            "15181e 38230f 66380d 9c530f d3771f f3a558 fbd1a2 fff3e6"],
  greens: ["ffffff e2f3ea b5dfc9 7cc4a1 43a278 1e7d57 0d5a3d 063824",
           "15181e 11301f 145036 1c7550 3b9d72 79c49d bce3cd f0faf4"],
  greys: ["ffffff 111318", "15181e f4f4f5"],
  magma: ["ffffff fdead2 fecb95 fb8e63 dc4a69 a1307e 5f187f 2a1256 0b0820",
          "0f0e15 1d1147 51127c 832681 b73779 e75263 fc8961 fec488 fcfdbf"],
  viridis: [VIRIDIS, VIRIDIS],
  rdbu: ["14508c 4a8cc4 a5cbe6 ffffff f3b59b d1604f 9c1127", "a9d2fb 4f93d6 234f80 15181e 7a2f2c cf5b4d ffae98"],
};
const LUTS = {};

/** 256 opaque colours as 0xAABBGGRR words, ready for ImageData. */
function palette(name, dark) {
  const key = name + dark;
  if (LUTS[key]) return LUTS[key];
  const stops = (SCALES[name] || SCALES.blues)[dark ? 1 : 0].split(" ").map((hex) => parseInt(hex, 16));
  const lut = new Uint32Array(256);
  for (let i = 0; i < 256; i++) {
    const x = (i / 255) * (stops.length - 1), k = Math.min(Math.floor(x), stops.length - 2), f = x - k;
    const mix = (shift) => Math.round(((stops[k] >> shift) & 255) * (1 - f) + ((stops[k + 1] >> shift) & 255) * f);
    lut[i] = ((255 << 24) | (mix(0) << 16) | (mix(8) << 8) | mix(16)) >>> 0;
  }
  return (LUTS[key] = lut);
}
const css = (word) => `rgb(${word & 255},${(word >> 8) & 255},${(word >> 16) & 255})`;
const inkOn = (word) =>
  (0.299 * (word & 255) + 0.587 * ((word >> 8) & 255) + 0.114 * ((word >> 16) & 255) > 120 ? "#14161a" : "#fff");
const MISSING = { light: [0xfff3f1f1, 0xffcdc8c6], dark: [0xff2c2522, 0xff59504a] };   // ground and hatch
