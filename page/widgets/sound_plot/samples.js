// The clip's own samples: what is drawn of a wave where its envelope would be too coarse

const SAMPLE_RATE = 16000;   // Hz, of every clip here
let decoded = { url: "", samples: null };

/** The samples of a sound, or null while they are on their way: `then` is called once they are there. */
function samplesOf(url, then) {
  if (decoded.url === url) {
    if (!decoded.samples) decoded.waiting.add(then);
    return decoded.samples;
  }
  const mine = decoded = { url, samples: null, waiting: new Set([then]) };
  fetch(url).then((answer) => answer.arrayBuffer())
    .then((file) => new OfflineAudioContext(1, 1, SAMPLE_RATE).decodeAudioData(file))
    .then((sound) => {
      mine.samples = sound.getChannelData(0);
      for (const each of mine.waiting) each();
    })
    .catch(() => { if (decoded === mine) decoded = { url: "", samples: null }; });   // the envelope stays, and is true
  return null;
}

/** Highest and lowest sample of each pixel of a stretch; sample k lasts from k to k + 1 periods of the rate. */
function extremes(samples, from, to, pixels) {
  const high = new Float32Array(pixels), low = new Float32Array(pixels);
  for (let x = 0; x < pixels; x++) {
    const at = (share) => Math.round((from + (to - from) * share) * SAMPLE_RATE);
    const first = clamp(at(x / pixels), 0, samples.length - 1), end = clamp(at((x + 1) / pixels), first + 1, samples.length);
    let top = samples[first], bottom = top;
    for (let k = first + 1; k < end; k++) {
      if (samples[k] > top) top = samples[k]; else if (samples[k] < bottom) bottom = samples[k];
    }
    high[x] = top;
    low[x] = bottom;
  }
  return { high, low };
}

/** One line through the samples themselves, where a pixel holds no more than a few; points where they are far apart. */
function traceSamples(ctx, samples, [from, to], w, y, ratio) {
  const first = Math.max(0, Math.floor(from * SAMPLE_RATE) - 1), end = Math.min(samples.length, Math.ceil(to * SAMPLE_RATE) + 1);
  const x = (k) => (((k + 0.5) / SAMPLE_RATE - from) / (to - from)) * w, far = w / ((to - from) * SAMPLE_RATE) > 8 * ratio;
  ctx.beginPath();
  for (let k = first; k < end; k++) ctx.lineTo(x(k), y(samples[k]));
  ctx.stroke();
  if (!far) return;
  for (let k = first; k < end; k++) ctx.fillRect(x(k) - 1.5 * ratio, y(samples[k]) - 1.5 * ratio, 3 * ratio, 3 * ratio);
}
