// Rows over time

const HOLD = 400;   // ms that a finger rests before it selects what its drag would move

/** A label at the left, a box at the right; over a time axis the cursor, cross-hair and region are drawn in it. */
function addRow(plot, { label = "", height, className = "", click = null, hover = null, timeless = false }) {
  const row = el("div", `sp-row ${className}`), gutter = el("div", "sp-gutter"), box = el("div", "sp-box");
  if (label) gutter.append(el("span", "sp-label", label, { title: label }));
  row.style.height = `${height}px`;
  if (!timeless) addMarks(plot, box);
  listenToPointer(plot, box, { click, hover, timeless });
  row.append(gutter, box);
  plot.rows.append(row);
  return { row, gutter, box };
}

function addMarks(plot, box) {
  const marks = { region: el("i", "sp-region"), hover: el("i", "sp-hover"), cursor: el("i", "sp-cursor") };
  for (const mark of Object.values(marks)) mark.hidden = true;
  box.append(...Object.values(marks));
  plot.marks.push(marks);
}

/** Hover shows the cross-hair; a drag selects and plays a region; a click plays from here, or what `click` says.
    A finger's drag moves the stretch that is seen instead, where that is not the whole clip, unless it rested first. */
function listenToPointer(plot, box, { click, hover, timeless }) {
  let from = null, dragged = false;
  const pans = (event) => event.pointerType === "touch" && !timeless && plot.host.classList.contains("sp-zoomed");
  const where = (event) => {
    const r = box.getBoundingClientRect(), seen = timeless ? [0, 1] : plot.view;   // a drag that leaves the plot ends at its edge
    return [clamp((event.clientX - r.left) / r.width, ...seen), clamp((event.clientY - r.top) / r.height, 0, 1 - 1e-9)];
  };
  const end = () => { clearTimeout(from?.resting); from = null; dragged = false; };
  const rests = () => {   // from here on it selects
    if (!from?.stretch || dragged) return;
    from.stretch = null;
    plot.shade([from.at, from.at]);
    plot.tip(null);
  };
  box.addEventListener("pointerdown", (event) => {
    if (!event.isPrimary) { end(); return plot.paintTime(); }   // a second finger: they zoom
    if (event.button !== 0) return;
    end();
    from = { x: event.clientX, at: where(event)[0], stretch: pans(event) && plot.stretch };
    if (from.stretch) from.resting = setTimeout(rests, HOLD);
  });
  box.addEventListener("pointermove", (event) => {
    if (!event.isPrimary) return;
    const [x, y] = where(event);
    if (!timeless) plot.crosshair(x);
    if (from && !timeless && !dragged && Math.abs(event.clientX - from.x) > 4) {
      dragged = true;
      box.setPointerCapture(event.pointerId);   // only now: an earlier capture would swallow clicks on buttons
    }
    if (dragged && from.stretch) panFrom(plot, from.stretch, event.clientX - from.x);
    else if (dragged) { plot.tip(null); plot.shade([Math.min(from.at, x), Math.max(from.at, x)]); }
    else if (hover) hover(x, y, event);
  });
  box.addEventListener("pointerup", (event) => {
    const [x, y] = where(event), start = from;
    const wasDrag = dragged;
    end();
    if (!start) return;
    if (start.resting) plot.paintTime();   // it may have begun to select
    if (wasDrag && start.stretch) plot.crosshair(null);
    else if (wasDrag) plot.playRegion(Math.min(start.at, x) * plot.seconds, Math.max(start.at, x) * plot.seconds);
    else if (click) click(x, y, event);
    else if (!timeless && event.shiftKey && !event.target.closest("button")) extendSelection(plot, x * plot.seconds);
    else if (!timeless && !event.target.closest("button")) plot.play(x * plot.seconds);
  });
  box.addEventListener("pointercancel", () => { end(); plot.paintTime(); });
  box.addEventListener("contextmenu", (event) => { if (from) event.preventDefault(); });   // a phone's answer to a finger that rests
  box.addEventListener("pointerleave", (event) => {
    plot.crosshair(null);
    if (event.pointerType !== "touch") plot.tip(null);   // a tapped tooltip stays until the next tap
  });
}

function canvasIn(box, label) {
  const canvas = el("canvas", "", null, label ? { role: "img", "aria-label": label } : { "aria-hidden": "true" });
  box.prepend(canvas);
  return canvas;
}

function waveRow(plot, row) {
  const { box } = addRow(plot, { label: row.label, height: row.height || 64, className: "sp-wave" });
  const canvas = canvasIn(box, row.alt || row.label);
  const peak = Math.max(1e-6, ...row.high.map(Math.abs), ...row.low.map(Math.abs));
  plot.painters.push(() => {
    const size = fit(canvas);
    if (!size) return;
    const { ctx, w, h, ratio } = size, y = (v) => h / 2 - (v / peak) * (h / 2 - ratio), [a, b] = plot.view;
    ctx.fillStyle = ctx.strokeStyle = plot.css("--sp-wave");
    ctx.lineWidth = ratio;
    const coarse = b - a < 1 && row.high.length * (b - a) < w / ratio;   // an envelope of fewer steps than pixels
    const samples = coarse && plot.soundUrl ? samplesOf(plot.soundUrl, () => plot.host.isConnected && plot.paintSoon()) : null;
    if (!samples) return fillEnvelope(ctx, row, plot.onCanvas([0, 1]).map((x) => x * w), y, ratio);
    if ((b - a) * samples.length < 4 * w) return traceSamples(ctx, samples, plot.stretch, w, y, ratio);
    return fillEnvelope(ctx, extremes(samples, ...plot.stretch, w), [0, w], y, ratio);
  });
}

function fillEnvelope(ctx, { high, low }, [left, right], y, ratio) {
  const n = high.length, x = (i) => left + ((i + 0.5) / n) * (right - left);
  ctx.beginPath();
  high.forEach((v, i) => ctx.lineTo(x(i), y(v) - ratio / 3));   // silence stays a hairline
  for (let i = n - 1; i >= 0; i--) ctx.lineTo(x(i), y(low[i]) + ratio / 3);
  ctx.fill();
}

/** What the colours of a tier say, above the first that has them; not where all are alike, unless they say yes or no. */
function tierKey(plot, row) {
  const yes = (row.unit ?? "").match(/^1: (.*)/)?.[1];
  const scores = row.items.map((item) => item.score ?? null).filter((score) => score !== null);
  const named = [row.scale, row.vmin, row.vmax, row.unit].join();
  if (!scores.length || plot.keyed.has(named) || (!yes && scores.every((score) => score === scores[0]))) return;
  plot.keyed.add(named);
  const { vmin = 0, vmax = 1, unit = "", scale = "blues" } = row, key = el("div", "sp-tier-key");
  if (yes) key.append(swatch(plot, scale, (1 - vmin) / (vmax - vmin), yes));
  plot.rows.append(yes ? key : scaleKey(plot, { vmin, vmax, unit, scale }));
}

/** A scale of colours above the row that has it. */
function scaleKey(plot, { vmin, vmax, unit, scale }) {
  const key = el("div", "sp-tier-key");
  key.append(legend({ plot, row: { vmin, vmax, unit, scale }, decimals: vmax - vmin < 5 ? 2 : 0 }));
  return key;
}

/** One colour and what it says. */
function swatch(plot, scale, share, text) {
  const box = el("div", "sp-legend"), mark = el("i", "sp-swatch");
  box.append(mark, el("span", "", text));
  plot.painters.push(() => { mark.style.background = css(palette(scale, plot.dark)[Math.round(255 * share)]); });
  return box;
}

function segmentsRow(plot, row, of) {
  tierKey(plot, row);
  const { box } = addRow(plot, { label: row.label, height: row.height || plot.touchable(30), className: "sp-words" }), layers = new Map();
  const buttons = row.items.map((item, i) => {
    const score = item.score ?? null, value = score === null ? "" : ` ${row.unit || "Score"} ${score.toFixed(2)}.`;
    const button = el("button", "sp-word", null, { type: "button" });
    button.append(el("span", "", item.label));
    const lay = () => {
      button.setAttribute("aria-label", `${spoken(item)}.${value} Play.`);
      button.title = `${item.label || "silence"}  ${extent(item)}${value && ` ·${value}`}`;
      place(button, [item.start / plot.seconds, item.end / plot.seconds]);
      button.style.height = "";
    };
    lay();
    layers.set(item, lay);
    button.addEventListener("click", () => {
      plot.play(item.start, item.end);
      plot.emit({ of, segment: i, label: item.label, start: item.start, end: item.end });
    });
    box.append(button);
    return button;
  });
  box.places = namedParts(row.label, [row], row.items, (_, i) => [[row.items[i].start / plot.seconds, row.items[i].end / plot.seconds], [0, 1]]);
  const wide = row.items.map((item) => textWidth(plot, item.label, 13));
  plot.tiers.push({ label: row.label, items: row.items, box, place: (item) => layers.get(item)() });
  box.setAttribute("role", "group");
  box.setAttribute("aria-label", row.label);
  roving(box, "ArrowLeft", "ArrowRight");
  nearestByTouch(plot, box, row.items, buttons);
  plot.timeListeners.push((t, playing) => row.items.forEach((item, i) =>
    buttons[i].classList.toggle("sp-on", playing && t >= item.start && t < item.end)));
  plot.painters.push(() => row.items.forEach((item, i) => {
    fitLabel(buttons[i], wide[i], showWithin(plot, buttons[i], item));
    if ((item.score ?? null) === null) return;
    const low = row.vmin ?? 0, high = row.vmax ?? 1, share = clamp((item.score - low) / (high - low), 0, 1);
    const word = palette(row.scale || "blues", plot.dark)[Math.round(255 * share)];
    Object.assign(buttons[i].style, { backgroundColor: css(word), color: inkOn(word) });
  }));
}

/** Keep a label in the part of its segment that is seen; how wide that is, px. */
function showWithin(plot, button, item) {
  const { wide } = plot, [left, right] = plot.onCanvas([item.start / plot.seconds, item.end / plot.seconds]).map((x) => x * wide);
  const seen = right > 0 && left < wide, before = seen ? Math.max(0, -left) : 0, after = seen ? Math.max(0, right - wide) : 0;
  button.style.padding = before || after ? `0 ${after}px 0 ${before}px` : "";
  return right - left - before - after;
}

/** Full size, else small, else with an ellipsis, else no text: a label cut in a letter reads as another phone. */
function fitLabel(button, width, room) {
  const small = width + 4 > room, shrunk = width * (10 / 13) + 1;
  button.classList.toggle("sp-small", small && shrunk <= room);
  button.classList.toggle("sp-bare", shrunk > room && room < 26);
}

function lineRow(plot, row) {
  const series = row.series || [{ name: row.label, values: row.values }];
  const all = series.flatMap((s) => s.values).filter(Number.isFinite);   // null marks a gap
  const low = row.vmin ?? Math.min(...all), high = row.vmax ?? Math.max(...all), unit = row.unit || "";
  const decimals = row.decimals ?? 2;
  if (series.length > 1) plot.rows.append(seriesKey(series));
  const { box, gutter } = addRow(plot, { label: row.label, height: row.height || 76, className: "sp-tall sp-curves", hover });
  const canvas = canvasIn(box, row.alt || row.label);
  for (const [at, value] of [[0, low], [1, high]]) {
    const tick = el("span", "sp-ytick", signed(value, decimals));
    tick.style.bottom = percent(at);
    gutter.append(tick);
  }
  plot.painters.push(() => paintLines(plot, canvas, series, low, high));
  function hover(x, _, event) {
    const lines = series.map(({ name, values }) => {
      const v = values[Math.min(values.length - 1, Math.floor(x * values.length))];
      return [name, Number.isFinite(v) ? `${signed(v, decimals)} ${unit}` : "no value"];
    });
    plot.tip(event, `${(x * plot.seconds).toFixed(2)} s`, "", lines);
  }
}

function seriesKey(series) {
  const key = el("div", "sp-key");
  series.forEach((s, i) => {
    const item = el("span", s.dashed ? "sp-dashed" : "", s.name);
    item.style.setProperty("--sp-colour", `var(--sp-line-${(i % 4) + 1})`);
    key.append(item);
  });
  return key;
}

function paintLines(plot, canvas, series, low, high) {
  const size = fit(canvas);
  if (!size) return;
  const { ctx, w, h, ratio } = size, pad = 2 * ratio;
  ctx.lineWidth = 1.6 * ratio;
  ctx.lineJoin = "round";
  series.forEach(({ values, dashed }, k) => {
    ctx.beginPath();
    ctx.setLineDash(dashed ? [5 * ratio, 4 * ratio] : []);
    ctx.strokeStyle = plot.css(`--sp-line-${(k % 4) + 1}`);
    values.forEach((v, i) => {
      if (!Number.isFinite(v)) return;
      const x = plot.onCanvas([(i + 0.5) / values.length, 0])[0] * w, y = h - pad - ((v - low) / (high - low || 1)) * (h - 2 * pad);
      if (Number.isFinite(values[i - 1])) ctx.lineTo(x, y); else ctx.moveTo(x, y);
    });
    ctx.stroke();
  });
}
