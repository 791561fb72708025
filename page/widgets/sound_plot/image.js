// Pictures over time, such as spectrograms, and the curves that are drawn over them

function imageRow(plot, row) {
  if (row.over) plot.rows.append(curveKey(row.over));
  if (row.unit) plot.rows.append(scaleKey(plot, row));
  const values = bytes(row.data), hover = row.reads && ((x, y, event) => readImage(plot, row, values, x, y, event));
  const { box, gutter } = addRow(plot, { label: row.label, height: row.height || 128, className: "sp-tall sp-image", hover });
  const canvas = canvasIn(box, row.alt || row.label), span = [(row.t0 ?? 0) / plot.seconds, (row.t1 ?? plot.seconds) / plot.seconds];
  for (const [at, text] of row.y_ticks || []) {
    const tick = el("span", "sp-ytick", text);
    tick.style.bottom = percent(at);
    gutter.append(tick);
  }
  const drawn = {};   // by theme and height: scrolling draws the same picture again and again
  plot.painters.push(() => {
    const size = fit(canvas), key = `${plot.dark} ${size?.h}`;
    if (!size) return;
    paintPicture(size, (drawn[key] ||= picture(row, values, size.h, palette(row.scale || "magma", plot.dark))), plot.onCanvas(span));
    for (const curve of row.over || []) paintCurve(plot, size, curve);
  });
}

/** A picture of `shape`, as high as its canvas if that is lower: browsers leave rows out, here each counts by its share. */
function picture(row, values, most, lut) {
  const [bins, frames] = row.shape, height = Math.min(bins, most), source = el("canvas"), sum = new Float32Array(frames);
  source.width = frames;
  source.height = height;
  const image = new ImageData(frames, height), pixels = new Uint32Array(image.data.buffer);
  for (let y = 0; y < height; y++) {   // row 0 of the values is the lowest bin, row 0 of a canvas its top
    const low = ((height - 1 - y) * bins) / height, high = ((height - y) * bins) / height;
    sum.fill(0);
    for (let k = Math.floor(low); k < Math.min(bins, high - 1e-9); k++) {
      const share = (Math.min(k + 1, high) - Math.max(k, low)) / (high - low);
      for (let x = 0; x < frames; x++) sum[x] += share * values[k * frames + x];
    }
    for (let x = 0; x < frames; x++) pixels[y * frames + x] = lut[Math.round(sum[x])];
  }
  source.getContext("2d").putImageData(image, 0, 0);
  return source;
}

/** Only the columns that are seen, and one more at each side, so that smoothing goes on across the edges. */
function paintPicture({ ctx, w, h }, source, [left, right]) {
  const each = ((right - left) * w) / source.width;   // of a column, px
  const first = clamp(Math.floor((-left * w) / each) - 1, 0, source.width - 1);
  const end = clamp(Math.ceil(((1 - left) * w) / each) + 1, first + 1, source.width);
  ctx.imageSmoothingQuality = "high";   // a spectrogram is looked at, not read off
  ctx.drawImage(source, first, 0, end - first, source.height, left * w + first * each, 0, (end - first) * each, h);
}

/** Points for formants, which jump; lines for what is continuous. Each stands on a halo, for it crosses black and white. */
function paintCurve(plot, { ctx, w, h, ratio }, { values, step, low, high, look }) {
  const [from, to] = plot.stretch, apart = (step / (to - from)) * w;   // px
  const every = Math.max(1, Math.ceil((1.5 * ratio) / apart)), dots = look === "formant";   // more would be one on another
  const first = Math.max(0, Math.floor(from / step / every - 1) * every), end = Math.min(values.length, Math.ceil(to / step) + every + 1);
  const x = (i) => ((i * step - from) / (to - from)) * w, y = (v) => h * (1 - (v - low) / (high - low));
  const trace = new Path2D(), dot = clamp(0.45 * every * apart, 0.7 * ratio, 1.6 * ratio);
  for (let i = first; i < end; i += every) {
    if (!Number.isFinite(values[i])) continue;
    if (dots) { trace.moveTo(x(i) + dot, y(values[i])); trace.arc(x(i), y(values[i]), dot, 0, 7); }
    else if (Number.isFinite(values[i - every])) trace.lineTo(x(i), y(values[i])); else trace.moveTo(x(i), y(values[i]));
  }
  ctx.lineJoin = ctx.lineCap = "round";
  ctx.strokeStyle = plot.css("--sp-halo");
  ctx.lineWidth = (dots ? 2 : 4.5) * ratio;
  ctx.stroke(trace);
  ctx.strokeStyle = ctx.fillStyle = plot.css(`--sp-${look}`);
  ctx.lineWidth = 2 * ratio;
  if (dots) ctx.fill(trace); else ctx.stroke(trace);
}

/** Names, colours and the scales that are not the picture's own. */
function curveKey(over) {
  const key = el("div", "sp-key sp-image"), said = new Set();
  for (const { look, low, high, unit } of over) {
    if (said.has(look)) continue;
    said.add(look);
    const name = { pitch: "F0", formant: "formants", intensity: "intensity" }[look];
    const item = el("span", look === "formant" ? "sp-dots" : "", look === "formant" ? name : `${name}, ${low} to ${high} ${unit}`);
    item.style.setProperty("--sp-colour", `var(--sp-${look})`);
    key.append(item);
  }
  return key;
}

/** What is under the pointer: the moment, the frequency and its level, and every curve at that moment. */
function readImage(plot, row, values, x, y, event) {
  const { top, unit, level, low, high } = row.reads, t = x * plot.seconds, [bins, frames] = row.shape;
  const t0 = row.t0 ?? 0, column = clamp(Math.floor(((t - t0) / ((row.t1 ?? plot.seconds) - t0)) * frames), 0, frames - 1);
  const bin = clamp(Math.floor((1 - y) * bins), 0, bins - 1), value = low + (values[bin * frames + column] / 255) * (high - low);
  const curves = (row.over || []).map(({ name, values: curve, step, unit: of, decimals }) => {
    const v = curve[clamp(Math.round(t / step), 0, curve.length - 1)];
    return [name, Number.isFinite(v) ? `${signed(v, decimals)} ${of}` : "none"];
  });
  plot.tip(event, t.toFixed(3), "s", [["pointer", `${Math.round((1 - y) * top)} ${unit}`, `${signed(value, 0)} ${level}`], ...curves]);
}
