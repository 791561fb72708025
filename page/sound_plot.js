// Plots tied to sound: any number of aligned rows over one time axis, one audio player for the whole page.
// Labels come from users and models, so every text goes through textContent; nothing here builds HTML from strings.
(() => {
  "use strict";

  // ---- The page's one player -------------------------------------------------------------------------------------

  function makePlayer() {
    const audio = new Audio();
    audio.preload = "auto";
    const listeners = new Set();
    let region = null;   // [start, end] in seconds: what the last play() was asked for, shaded in every plot
    let frame = 0;

    const tell = () => { for (const listener of [...listeners]) listener(audio.currentTime, !audio.paused); };
    function stopAtEnd() {
      if (!region || audio.paused || audio.currentTime < region[1]) return;
      audio.pause();
      audio.currentTime = region[1];   // the pause lands up to one frame late; the cursor should stand on the boundary
    }
    function tick() {
      stopAtEnd();
      tell();
      frame = audio.paused ? 0 : requestAnimationFrame(tick);
    }
    audio.addEventListener("play", () => { cancelAnimationFrame(frame); frame = requestAnimationFrame(tick); });
    audio.addEventListener("timeupdate", stopAtEnd);   // a background tab gets no animation frames
    for (const name of ["pause", "seeked", "ended"]) audio.addEventListener(name, tell);

    return {
      audio, url: "", seconds: 0, clip: null,
      get region() { return region; },
      get subscribers() { return listeners.size; },
      setSource(url, seconds, clip = null) {
        this.seconds = seconds;
        this.clip = clip;
        if (url !== this.url) {
          this.pause();
          region = null;
          this.url = url;
          if (url) audio.src = url; else audio.removeAttribute("src");
        }
        tell();
      },
      play(start, end = null) {
        if (!this.url) return;
        region = end === null ? null : [start, end];
        audio.currentTime = start;
        audio.play().catch(() => {});   // refused without a user's action, or overtaken by a newer source
        tell();
      },
      pause() { audio.pause(); },
      toggle() {
        if (!audio.paused) return this.pause();
        const end = region ? Math.min(region[1], this.seconds) : this.seconds;
        const finished = audio.currentTime >= end - 0.01;
        return this.play(finished ? (region ? region[0] : 0) : audio.currentTime, region && region[1]);
      },
      clearRegion() { region = null; tell(); },
      subscribe(listener) { listeners.add(listener); return () => listeners.delete(listener); },
    };
  }
  const player = (window.speechPlayer ||= makePlayer());

  // ---- Colour ----------------------------------------------------------------------------------------------------

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

  // ---- Small helpers ---------------------------------------------------------------------------------------------

  function el(tag, className = "", text = null, attributes = {}) {
    const node = document.createElement(tag);
    if (className) node.className = className;
    if (text !== null) node.textContent = text;
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    return node;
  }
  const clamp = (x, low, high) => Math.min(high, Math.max(low, x));
  const percent = (x) => `${100 * x}%`;
  const extent = (item) => `${item.start.toFixed(2)}–${item.end.toFixed(2)} s`;
  const spoken = (item) => `${item.label || "silence"}, ${item.start.toFixed(2)} to ${item.end.toFixed(2)} s`;
  const timed = (item) => typeof item.start === "number" && typeof item.end === "number";
  const equal = (n) => Array.from({ length: n }, (_, i) => [i / n, (i + 1) / n]);
  const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const signed = (x, decimals) => x.toFixed(decimals).replace(/^-(0\.?0*$)/, "$1").replace(/^-/, "−");   // no "-0.0"

  function place(node, [left, right], [top, bottom] = [0, 1]) {
    Object.assign(node.style, { left: percent(left), width: percent(right - left),
                                top: percent(top), height: percent(bottom - top) });
  }

  /** Match a canvas to its box in device pixels (at most 8 million, to spare phones); null while it is hidden. */
  function fit(canvas) {
    const { width, height } = canvas.getBoundingClientRect();
    if (!width || !height) return null;
    const ratio = Math.min(window.devicePixelRatio || 1, Math.sqrt(8e6 / (width * height)));
    canvas.width = Math.max(1, Math.round(width * ratio));
    canvas.height = Math.max(1, Math.round(height * ratio));
    return { ctx: canvas.getContext("2d"), w: canvas.width, h: canvas.height, ratio };
  }

  const ruler = document.createElement("canvas").getContext("2d");
  /** How wide a text would be, without asking the page for a layout. */
  function textWidth(plot, text, pixels) {
    ruler.font = `${pixels}px ${plot.css("font-family")}`;
    return ruler.measureText(text).width;
  }

  /** One tab stop for a whole row of buttons; arrow keys walk along it. */
  function roving(box, back, forth) {
    const buttons = [...box.querySelectorAll("button")];
    buttons.forEach((button, i) => { button.tabIndex = i ? -1 : 0; });
    box.addEventListener("focusin", (event) => {
      for (const button of buttons) button.tabIndex = button === event.target ? 0 : -1;
    });
    box.addEventListener("keydown", (event) => {
      const step = { [back]: -1, [forth]: 1 }[event.key];
      if (!step) return;
      event.preventDefault();
      buttons[buttons.indexOf(event.target) + step]?.focus();
    });
  }

  // ---- Rows over time --------------------------------------------------------------------------------------------

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

  /** Hover shows the cross-hair; a drag selects and plays a region; a click plays from here, or what `click` says. */
  function listenToPointer(plot, box, { click, hover, timeless }) {
    let from = null, dragged = false;
    const where = (event) => {
      const r = box.getBoundingClientRect();
      return [clamp((event.clientX - r.left) / r.width, 0, 1), clamp((event.clientY - r.top) / r.height, 0, 1 - 1e-9)];
    };
    const end = () => { from = null; dragged = false; };
    box.addEventListener("pointerdown", (event) => {
      if (event.button === 0) { from = { x: event.clientX, at: where(event)[0] }; dragged = false; }
    });
    box.addEventListener("pointermove", (event) => {
      const [x, y] = where(event);
      if (!timeless) plot.crosshair(x);
      if (from && !timeless && !dragged && Math.abs(event.clientX - from.x) > 4) {
        dragged = true;
        box.setPointerCapture(event.pointerId);   // only now: an earlier capture would swallow clicks on buttons
      }
      if (dragged) { plot.tip(null); plot.shade([Math.min(from.at, x), Math.max(from.at, x)]); }
      else if (hover) hover(x, y, event);
    });
    box.addEventListener("pointerup", (event) => {
      const [x, y] = where(event), start = from;
      const wasDrag = dragged;
      end();
      if (!start) return;
      if (wasDrag) plot.playRegion(Math.min(start.at, x) * plot.seconds, Math.max(start.at, x) * plot.seconds);
      else if (click) click(x, y, event);
      else if (!timeless && !event.target.closest("button")) plot.play(x * plot.seconds);
    });
    box.addEventListener("pointercancel", () => { end(); plot.paintTime(); });
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
      const { ctx, w, h, ratio } = size, n = row.high.length;
      const x = (i) => ((i + 0.5) / n) * w, y = (v) => h / 2 - (v / peak) * (h / 2 - ratio);
      ctx.beginPath();
      row.high.forEach((v, i) => ctx.lineTo(x(i), y(v) - ratio / 3));   // silence stays a hairline
      for (let i = n - 1; i >= 0; i--) ctx.lineTo(x(i), y(row.low[i]) + ratio / 3);
      ctx.fillStyle = plot.css("--sp-wave");
      ctx.fill();
    });
  }

  function imageRow(plot, row) {
    const [bins, frames] = row.shape, data = bytes(row.data);
    const { box, gutter } = addRow(plot, { label: row.label, height: row.height || 128, className: "sp-tall sp-image" });
    const canvas = canvasIn(box, row.alt || row.label);
    place(canvas, [(row.t0 ?? 0) / plot.seconds, (row.t1 ?? plot.seconds) / plot.seconds]);
    for (const [at, text] of row.y_ticks || []) {
      const tick = el("span", "sp-ytick", text);
      tick.style.bottom = percent(at);
      gutter.append(tick);
    }
    plot.painters.push(() => {
      const size = fit(canvas);
      if (!size) return;
      const source = el("canvas"), lut = palette(row.scale || "magma", plot.dark);
      source.width = frames;
      source.height = bins;
      const picture = new ImageData(frames, bins), pixels = new Uint32Array(picture.data.buffer);
      for (let y = 0; y < bins; y++) {   // row 0 of the data is the lowest bin, row 0 of a canvas its top
        for (let x = 0; x < frames; x++) pixels[y * frames + x] = lut[data[(bins - 1 - y) * frames + x]];
      }
      source.getContext("2d").putImageData(picture, 0, 0);
      size.ctx.drawImage(source, 0, 0, size.w, size.h);   // smoothed: a spectrogram is looked at, not read off
    });
  }

  function segmentsRow(plot, row, of) {
    const { box } = addRow(plot, { label: row.label, height: row.height || plot.touchable(30), className: "sp-words" });
    const buttons = row.items.map((item, i) => {
      const score = item.score ?? null, value = score === null ? "" : ` ${row.unit || "Score"} ${score.toFixed(2)}.`;
      const button = el("button", "sp-word", null, {
        type: "button", "aria-label": `${spoken(item)}.${value} Play.`,
        title: `${item.label || "silence"}  ${extent(item)}${value && ` ·${value}`}`,
      });
      button.append(el("span", "", item.label));
      place(button, [item.start / plot.seconds, item.end / plot.seconds]);
      button.style.height = "";
      button.addEventListener("click", () => {
        plot.play(item.start, item.end);
        plot.emit({ of, segment: i, label: item.label, start: item.start, end: item.end });
      });
      box.append(button);
      return button;
    });
    const wide = row.items.map((item) => textWidth(plot, item.label, 13));
    box.setAttribute("role", "group");
    box.setAttribute("aria-label", row.label);
    roving(box, "ArrowLeft", "ArrowRight");
    plot.timeListeners.push((t, playing) => row.items.forEach((item, i) =>
      buttons[i].classList.toggle("sp-on", playing && t >= item.start && t < item.end)));
    plot.painters.push(() => row.items.forEach((item, i) => {
      fitLabel(buttons[i], wide[i], ((item.end - item.start) / plot.seconds) * box.clientWidth);
      if ((item.score ?? null) === null) return;
      const low = row.vmin ?? 0, high = row.vmax ?? 1, share = clamp((item.score - low) / (high - low), 0, 1);
      const word = palette(row.scale || "blues", plot.dark)[Math.round(255 * share)];
      Object.assign(buttons[i].style, { backgroundColor: css(word), color: inkOn(word) });
    }));
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
        const x = ((i + 0.5) / values.length) * w, y = h - pad - ((v - low) / (high - low || 1)) * (h - 2 * pad);
        if (Number.isFinite(values[i - 1])) ctx.lineTo(x, y); else ctx.moveTo(x, y);
      });
      ctx.stroke();
    });
  }

  // ---- Heat maps: `matrix` over the time axis, `grid` with equal columns -----------------------------------------

  function decode({ data, dtype, scale_min: low = 0, scale_max: high = 1 }) {
    const raw = bytes(data).buffer;
    if (dtype === "float32") return new Float32Array(raw);
    const steps = new Uint16Array(raw);   // 65535 is kept for "no value"
    return Float32Array.from(steps, (q) => (q === 65535 ? NaN : low + (q / 65534) * (high - low)));
  }

  function heatRow(plot, row, of) {
    const grid = row.kind === "grid", values = decode(row);
    const spans = grid ? equal(row.columns.length)
                       : row.columns.map((c) => [c.start / plot.seconds, c.end / plot.seconds]);
    const height = rowHeight(row, plot);
    const map = { plot, row, of, grid, values, spans, height, bands: equal(row.rows.length), selected: -1, focus: [0, 0] };
    map.missing = values.some(Number.isNaN);
    map.decimals = row.decimals ?? 2;
    const home = plot.rows;
    const top = el("div", "sp-top");
    top.append(el("span", "sp-title", row.title || ""), legend(map));
    home.append(top);
    if (grid) home.append(plot.rows = el("div", "sp-grid"));   // its rows go into a scroller of their own
    addProfile(map);
    if (grid) addColumnLabels(map);
    addCells(map);
    plot.rows = home;
  }

  /** Rows tall enough to tap while they are few; a map of hundreds of frames stays about a screen high. */
  function rowHeight(row, plot) {
    const n = row.rows.length;
    if (typeof row.row_height === "number") return row.row_height;
    return n <= 32 ? clamp(480 / n, 24, plot.touchable(30)) : Math.max(1.2, 560 / n);
  }

  function addCells(map) {
    const { plot, row } = map;
    const { box, gutter } = addRow(plot, {
      height: map.height * row.rows.length, className: "sp-heat", timeless: map.grid,
      click: (x, y, event) => clickCell(map, x, y, event), hover: (x, y, event) => hoverCell(map, x, y, event),
    });
    const canvas = canvasIn(box);
    map.band = box.appendChild(el("i", "sp-band"));
    map.ring = box.appendChild(el("i", "sp-ring"));
    rowLabels(map, gutter);
    listenToKeys(map, box);
    box.addEventListener("pointerleave", () => { if (document.activeElement !== box) map.ring.style.display = ""; });
    plot.painters.push(() => paintCells(map, canvas));
  }

  /** Buttons while the rows are tall enough; else every k-th row is named and the gutter itself takes the click. */
  function rowLabels(map, gutter) {
    const { rows } = map.row, every = Math.ceil(13 / map.height);
    map.labels = rows.map((item, i) => (i % every ? null : gutter.appendChild(rowLabel(map, item, i, every > 1))));
    if (every === 1) return roving(gutter, "ArrowUp", "ArrowDown");
    gutter.classList.add("sp-clickable");
    return gutter.addEventListener("click", (event) => {
      const r = gutter.getBoundingClientRect();
      selectRow(map, clamp(Math.floor(((event.clientY - r.top) / r.height) * rows.length), 0, rows.length - 1));
    });
  }

  function rowLabel(map, item, i, plain) {
    const label = el(plain ? "span" : "button", "sp-rowlabel", item.label, { title: item.label });
    Object.assign(label.style, { top: percent(i / map.bands.length), height: `${Math.max(13, map.height)}px` });
    if (plain) return label;
    label.type = "button";
    label.setAttribute("aria-label", timed(item) ? `${spoken(item)}. Play and follow this row.` : `${item.label}. Follow this row.`);
    label.addEventListener("click", () => selectRow(map, i));
    return label;
  }

  /** For each device pixel, which span it shows; -1 in gaps. Cells keep a hairline between them while they are large. */
  function lookup(spans, pixels, ratio) {
    const of = new Int32Array(pixels).fill(-1);
    spans.forEach(([from, to], k) => {
      const a = Math.round(from * pixels), b = Math.max(a + 1, Math.round(to * pixels));
      of.fill(k, a, b - (b - a >= 8 * ratio ? Math.round(ratio) : 0));
    });
    return of;
  }

  function paintCells(map, canvas) {
    const size = fit(canvas);
    if (!size) return;
    const { ctx, w, h, ratio } = size, columns = map.spans.length;
    const columnOf = lookup(map.spans, w, ratio), rowOf = lookup(map.bands, h, ratio);
    const colours = cellColours(map), [ground, hatch] = MISSING[map.plot.dark ? "dark" : "light"];
    const picture = new ImageData(w, h), pixels = new Uint32Array(picture.data.buffer);
    for (let y = 0; y < h; y++) {
      const r = rowOf[y];
      if (r < 0) continue;
      if (!map.missing && y && rowOf[y - 1] === r) { pixels.copyWithin(y * w, (y - 1) * w, y * w); continue; }
      for (let x = 0; x < w; x++) {
        if (columnOf[x] < 0) continue;
        pixels[y * w + x] = colours[r * columns + columnOf[x]] || ((x + y) % (6 * ratio) < ratio ? hatch : ground);
      }
    }
    ctx.putImageData(picture, 0, 0);
    if (columns * map.bands.length <= 1600) printValues(map, ctx, size, colours);
  }

  /** A colour word per cell; 0 (transparent black, never in a palette) stands for "no value". */
  function cellColours({ row, values, plot }) {
    const lut = palette(row.scale || "blues", plot.dark), step = 255 / (row.vmax - row.vmin || 1);
    return Uint32Array.from(values, (v) => (Number.isNaN(v) ? 0 : lut[clamp(Math.round((v - row.vmin) * step), 0, 255)]));
  }

  function printValues(map, ctx, { w, h, ratio }, colours) {
    const high = h / map.bands.length;
    if (high < 15 * ratio) return;
    ctx.font = `${11 * ratio}px ${map.plot.css("font-family")}`;
    ctx.textAlign = "center";
    ctx.textBaseline = "middle";
    map.values.forEach((v, i) => {
      const r = Math.floor(i / map.spans.length), [from, to] = map.spans[i % map.spans.length];
      const text = signed(v, map.decimals);
      if (Number.isNaN(v) || ctx.measureText(text).width > (to - from) * w - 6 * ratio) return;
      ctx.fillStyle = inkOn(colours[i]);
      ctx.fillText(text, ((from + to) / 2) * w, (r + 0.5) * high);
    });
  }

  const valueAt = (map, r, c) => map.values[r * map.spans.length + c];
  const valueText = (map, v) => (Number.isNaN(v) ? "no value" : `${signed(v, map.decimals)} ${map.row.unit || ""}`.trim());

  function cellAt(map, x, y) {
    const c = map.spans.findIndex(([from, to]) => x >= from && x < to);
    return c < 0 ? null : [Math.floor(y * map.bands.length), c];
  }

  function showCell(map, [r, c], at) {
    const { row, plot } = map, item = row.rows[r], column = row.columns[c];
    place(map.ring, map.spans[c], map.bands[r]);
    map.ring.style.display = "block";
    const v = valueAt(map, r, c);
    plot.tip(at, Number.isNaN(v) ? "no value" : signed(v, map.decimals), Number.isNaN(v) ? "" : row.unit || "", [
      [row.row_name || "row", item.label, timed(item) ? extent(item) : ""],
      [row.column_name || "column", column.label, timed(column) ? extent(column) : ""]]);
  }

  function hoverCell(map, x, y, event) {
    const cell = cellAt(map, x, y);
    if (cell) return showCell(map, cell, event);
    map.ring.style.display = "";
    return map.plot.tip(null);
  }

  function clickCell(map, x, y, event) {
    const cell = cellAt(map, x, y);
    if (!cell) return map.grid ? null : map.plot.play(x * map.plot.seconds);
    map.focus = cell;
    showCell(map, cell, event);
    return event.shiftKey ? selectRow(map, cell[0]) : playColumn(map, cell);
  }

  function playColumn(map, [r, c]) {
    const column = map.row.columns[c], v = r === null ? NaN : valueAt(map, r, c);
    if (timed(column)) map.plot.play(column.start, column.end);
    map.plot.emit({ of: map.of, row: r, column: c, value: Number.isNaN(v) ? null : v });
  }

  function selectRow(map, r) {
    const item = map.row.rows[r];
    map.labels[map.selected]?.classList.remove("sp-selected");
    map.labels[r]?.classList.add("sp-selected");
    map.selected = r;
    place(map.band, [0, 1], map.bands[r]);
    map.band.style.display = "block";
    map.paintProfile();
    if (timed(item)) map.plot.play(item.start, item.end);
    map.plot.emit({ of: map.of, row: r, column: null, value: null });
    map.plot.say(`Following ${map.row.row_name || "row"} '${item.label}'.`);
  }

  function listenToKeys(map, box) {
    const { row } = map, name = row.alt || row.title;
    const keys = "Arrow keys move, Enter plays the column, Shift and Enter follows and plays the row.";
    box.tabIndex = 0;
    box.setAttribute("role", "application");
    box.setAttribute("aria-roledescription", "heat map");
    box.setAttribute("aria-label", `${name}. ${keys}`);
    box.addEventListener("focus", () => { if (box.matches(":focus-visible")) announce(map); });
    box.addEventListener("blur", () => { map.ring.style.display = ""; map.plot.tip(null); });
    box.addEventListener("keydown", (event) => {
      const move = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
      if (!move && event.key !== "Enter") return;
      event.preventDefault();
      if (!move) return event.shiftKey ? selectRow(map, map.focus[0]) : playColumn(map, map.focus);
      map.focus = map.focus.map((k, axis) => clamp(k + move[axis], 0, (axis ? map.spans : map.bands).length - 1));
      announce(map);
    });
  }

  /** The focused cell, for the eye (ring and tooltip) and for the ear (live region). */
  function announce(map) {
    const [r, c] = map.focus, { row, plot } = map;
    showCell(map, map.focus, null);
    map.ring.scrollIntoView({ block: "nearest", inline: "nearest" });
    const ring = map.ring.getBoundingClientRect();
    showCell(map, map.focus, { clientX: ring.right, clientY: ring.top });
    plot.say(`${row.row_name || "row"} '${row.rows[r].label}', ${row.column_name || "column"} '${row.columns[c].label}': ` +
             valueText(map, valueAt(map, r, c)));
  }

  /** Above the map: the selected row's values as bars, each over its own column. */
  function addProfile(map) {
    const { box, gutter } = addRow(map.plot, { height: 30, className: "sp-profile", timeless: map.grid });
    const canvas = canvasIn(box), label = gutter.appendChild(el("span", "sp-label"));
    const hint = box.appendChild(el("span", "sp-quiet", "Choose a label at the left to follow its row here."));
    map.paintProfile = () => {
      const size = fit(canvas);
      if (!size || map.selected < 0) return;
      hint.remove();
      label.textContent = map.row.rows[map.selected].label;
      const { ctx, w, h, ratio } = size, colours = cellColours(map), { vmin, vmax } = map.row;
      const y = (v) => h * (1 - (clamp(v, vmin, vmax) - vmin) / (vmax - vmin || 1)), zero = y(0);
      ctx.fillStyle = map.plot.css("--sp-hairline");
      ctx.fillRect(0, Math.min(h - ratio, zero), w, ratio);
      map.spans.forEach(([from, to], c) => {
        const i = map.selected * map.spans.length + c, x = Math.round(from * w), top = Math.min(zero, y(map.values[i]));
        if (Number.isNaN(map.values[i])) return;
        ctx.fillStyle = css(colours[i]);
        ctx.fillRect(x, top, Math.max(1, Math.round(to * w) - x - (to - from > 8 * ratio / w ? ratio : 0)),
                     Math.max(ratio, Math.abs(y(map.values[i]) - zero)));
      });
    };
    map.plot.painters.push(map.paintProfile);
  }

  function addColumnLabels(map) {
    const { plot } = map, frame = plot.rows, row = el("div", "sp-row sp-heads"), box = el("div", "sp-box");
    map.row.columns.forEach((column, c) => {
      const head = el(timed(column) ? "button" : "span", "sp-head", null, { title: column.label });
      head.append(el("span", "", column.label));
      place(head, map.spans[c]);
      box.append(head);
      if (!timed(column)) return;
      head.type = "button";
      head.setAttribute("aria-label", `${spoken(column)}. Play.`);
      head.addEventListener("click", () => playColumn(map, [null, c]));
    });
    roving(box, "ArrowLeft", "ArrowRight");
    row.append(el("div", "sp-gutter"), box);
    frame.append(row);
    plot.painters.unshift(() => layOutGrid(map, frame, row));   // before its canvases measure themselves
  }

  /** Columns of 28 to 64 px; labels slant where they do not fit, and the last one then needs room at the right. */
  function layOutGrid({ plot, row, spans }, frame, heads) {
    const room = frame.clientWidth - plot.gutterWidth(), n = spans.length, cell = (width) => clamp(width / n, 28, 64);
    const widths = row.columns.map((column) => Math.min(120, textWidth(plot, column.label, 12)));
    const longest = Math.max(...widths), slanted = longest > cell(room) - 4;
    const spare = slanted ? Math.max(0, widths[n - 1] * 0.71 + 10 - cell(room) / 2) : 0;
    frame.style.setProperty("--sp-columns", `${n * cell(room - spare)}px`);
    heads.classList.toggle("sp-slanted", slanted);
    Object.assign(heads.style, { height: `${slanted ? longest * 0.71 + 18 : 22}px`, paddingRight: `${spare}px`,
                                 width: `calc(var(--sp-gutter) + var(--sp-columns) + ${spare}px)` });
  }

  function legend(map) {
    const { row } = map, box = el("div", "sp-legend"), bar = el("i", "sp-ramp");
    box.append(el("span", "", signed(row.vmin, map.decimals)), bar, el("span", "", signed(row.vmax, map.decimals)), el("span", "", row.unit || ""));
    if (map.missing) box.append(el("i", "sp-missing"), el("span", "", "no value"));
    map.plot.painters.push(() => {
      const lut = palette(row.scale || "blues", map.plot.dark);
      bar.style.background = `linear-gradient(to right, ${Array.from({ length: 17 }, (_, i) => css(lut[Math.round(i * 15.9375)])).join(", ")})`;
    });
    return box;
  }

  // ---- The plot: toolbar, axis, tooltip, and what its rows share --------------------------------------------------

  const KINDS = { wave: waveRow, image: imageRow, segments: segmentsRow, line: lineRow, matrix: heatRow, grid: heatRow };

  class Plot {
    constructor(host, value, trigger) {
      Object.assign(this, { host, value, seconds: value.seconds, zoom: 1, marks: [], painters: [], timeListeners: [] });
      this.emit = (detail) => trigger("select", detail);
      this.scroller = el("div", "sp-scroll", null, { tabindex: 0, role: "group", "aria-label": value.summary || "Plot over time" });
      this.rows = this.time = el("div", "sp-rows");
      this.tooltip = el("div", "sp-tip", null, { "aria-hidden": "true" });
      this.live = el("div", "sp-hidden", null, { "aria-live": "polite" });
      this.build();
      this.connect();
    }

    get dark() { return this.host.closest(".dark") !== null; }
    css(name) { return getComputedStyle(this.host).getPropertyValue(name).trim(); }
    gutterWidth() { return this.host.querySelector(".sp-gutter").getBoundingClientRect().width; }
    touchable(height) { return matchMedia("(pointer: coarse)").matches || this.host.clientWidth < 520 ? Math.max(36, height) : height; }
    say(text) { this.live.textContent = text; }

    build() {
      const { value, host } = this, rows = value.rows.map((row, i) => [row, i]);
      this.note = el("p", "sp-note");
      host.append(el("p", "sp-hidden", value.summary || ""), this.toolbar(), this.note, this.scroller);
      this.scroller.append(this.time);
      const overTime = rows.filter(([row]) => row.kind !== "grid"), grids = rows.filter(([row]) => row.kind === "grid");
      for (const [row, i] of overTime) KINDS[row.kind](this, row, i);
      if (overTime.length) this.axis(); else this.scroller.hidden = this.bar.hidden = true;
      this.rows = host;
      for (const [row, i] of grids) KINDS[row.kind](this, row, i);
      host.append(this.tooltip, this.live);
    }

    toolbar() {
      this.bar = el("div", "sp-bar");
      this.button = el("button", "sp-play", null, { type: "button" });
      this.clock = el("span", "sp-clock");
      this.button.addEventListener("click", () => player.toggle());
      const zooms = el("div", "sp-zoom", null, { role: "group", "aria-label": "Zoom the time axis" });
      for (const factor of [1, 2, 4]) {
        const button = el("button", "", `${factor}×`, { type: "button", "aria-pressed": factor === 1, "aria-label": `Zoom ${factor} times` });
        button.addEventListener("click", () => this.zoomTo(factor, button));
        zooms.append(button);
      }
      this.bar.append(this.button, this.clock, zooms);
      return this.bar;
    }

    axis() {
      const { box, gutter } = addRow(this, { label: "seconds", height: 24, className: "sp-axis" });
      this.hoverTime = box.appendChild(el("span", "sp-hovertime"));
      gutter.firstChild.removeAttribute("title");
      this.painters.push(() => {
        const room = Math.max(2, box.clientWidth / 52);
        const step = [0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20].find((s) => this.seconds / s <= room) || 30;
        box.querySelectorAll(".sp-tick").forEach((tick) => tick.remove());
        for (let k = 0; k * step <= this.seconds + 1e-9; k++) {
          const tick = el("span", "sp-tick", String(+(k * step).toFixed(2)));
          tick.style.left = percent((k * step) / this.seconds);
          box.append(tick);
        }
      });
    }

    zoomTo(factor, pressed) {
      const { scroller } = this, middle = (scroller.scrollLeft + scroller.clientWidth / 2) / scroller.scrollWidth;
      this.zoom = factor;
      this.host.style.setProperty("--sp-zoom", factor);
      this.host.classList.toggle("sp-zoomed", factor > 1);
      for (const button of pressed.parentElement.children) button.setAttribute("aria-pressed", button === pressed);
      scroller.scrollLeft = middle * scroller.scrollWidth - scroller.clientWidth / 2;
      this.paint();
    }

    /** Everything that outlives one drawing is registered here, and undone in dispose(). */
    connect() {
      this.unsubscribe = player.subscribe(() => (this.host.isConnected ? this.paintTime() : this.dispose()));
      this.resizing = new ResizeObserver(() => this.paint());
      this.resizing.observe(this.scroller.hidden ? this.host : this.scroller);
      this.theme = new MutationObserver(() => this.paint());
      for (const node of [document.body, document.documentElement]) this.theme.observe(node, { attributeFilter: ["class"] });
      this.keys = new AbortController();
      this.host.addEventListener("keydown", (event) => this.key(event), { signal: this.keys.signal });
      document.addEventListener("pointerdown", (event) => {   // a tapped tooltip goes with the next tap elsewhere
        if (!this.host.contains(event.target)) this.tip(null);
      }, { signal: this.keys.signal });
      if (this.value.audio) player.setSource(this.value.audio.url || this.value.audio, this.seconds, this.value.clip ?? null);
      this.paint();
    }

    dispose() {
      this.unsubscribe();
      this.resizing.disconnect();
      this.theme.disconnect();
      this.keys.abort();
    }

    key(event) {
      if (event.key === "Escape") { player.clearRegion(); this.tip(null); }
      const onButton = event.target.closest("button");
      if (event.key !== " " || (onButton && player.audio.paused)) return;   // a paused word button answers Space itself
      event.preventDefault();
      if (!this.isStale()) player.toggle();
    }

    /** A tab may still show the clip before: playing the new one under it would be a lie. */
    isStale() { return this.value.clip !== undefined && player.clip !== null && this.value.clip !== player.clip; }

    warnIfStale(stale) {
      const text = stale ? "This plot shows another clip than the one loaded now. Run it again to hear it." : "";
      if (this.note.textContent !== text) this.note.textContent = text;
    }

    play(start, end = null) { if (!this.isStale()) player.play(start, end); }
    playRegion(start, end) { this.play(start, end); this.emit({ start, end }); }

    paint() {
      if (!this.host.clientWidth) return;   // in a tab that is not open: the ResizeObserver calls again
      this.host.style.setProperty("--sp-ground", groundColour(this.host));
      for (const painter of this.painters) painter();
      this.paintTime();
    }

    paintTime() {
      const stale = this.isStale(), playing = !stale && !player.audio.paused, name = playing ? "Pause" : "Play";
      const t = stale ? 0 : player.audio.currentTime, region = stale ? null : player.region;
      this.warnIfStale(stale);
      for (const { cursor } of this.marks) { cursor.style.left = percent(t / this.seconds); cursor.hidden = !playing && t === 0; }
      this.shade(region && region.map((s) => Math.min(1, s / this.seconds)));
      for (const listener of this.timeListeners) listener(t, playing);
      this.button.classList.toggle("sp-playing", playing);
      this.button.disabled = stale || !player.url;
      if (this.button.getAttribute("aria-label") !== name) this.button.setAttribute("aria-label", name);
      this.clock.textContent = `${t.toFixed(2)} / ${this.seconds.toFixed(2)} s`;
      if (playing && this.zoom > 1) this.follow(t);
    }

    follow(t) {
      const gutter = this.gutterWidth(), { scroller } = this, x = gutter + (t / this.seconds) * (scroller.scrollWidth - gutter);
      if (x < scroller.scrollLeft + gutter || x > scroller.scrollLeft + scroller.clientWidth) scroller.scrollLeft = x - gutter - 40;
    }

    shade(span) {
      for (const { region } of this.marks) {
        region.hidden = !span;
        if (span) place(region, span);
      }
    }

    crosshair(x) {
      for (const { hover } of this.marks) { hover.hidden = x === null; hover.style.left = percent(x); }
      if (!this.hoverTime) return;
      this.hoverTime.hidden = x === null;
      this.hoverTime.style.left = percent(x);
      this.hoverTime.textContent = x === null ? "" : (x * this.seconds).toFixed(2);
    }

    /** A figure in large type, its unit, then lines of [name, label, extra]; `at` null hides it. */
    tip(at, figure = "", unit = "", lines = []) {
      const { tooltip } = this;
      tooltip.style.display = at ? "grid" : "none";
      if (!at) return;
      const head = el("p", "");
      head.append(el("b", "", figure), ` ${unit}`);
      tooltip.replaceChildren(head, ...lines.flatMap((cells) => [0, 1, 2].map((k) => el("span", "", cells[k] || ""))));
      const home = this.host.getBoundingClientRect(), { offsetWidth: w, offsetHeight: h } = tooltip;
      const x = clamp(at.clientX - home.left + 14, 0, Math.max(0, home.width - w));
      const above = at.clientY - h - 14 > 0;
      Object.assign(tooltip.style, { left: `${x}px`, top: `${at.clientY - home.top + (above ? -h - 14 : 20)}px` });
    }
  }

  /** The colour behind the plot, so that labels that stay put while the axis scrolls can cover what passes below. */
  function groundColour(node) {
    for (let n = node; n; n = n.parentElement) {
      const colour = getComputedStyle(n).backgroundColor;
      if (colour !== "transparent" && !/, 0\)$/.test(colour)) return colour;
    }
    return "Canvas";
  }

  /** Called once per component from js_on_load; draws now and whenever Python sends a new value. */
  window.SoundPlot = function mount(element, props, trigger, watch) {
    const host = element.querySelector(".sp");
    let plot = null;
    const render = () => {
      const value = props.value, drawable = Boolean(value && value.rows);
      if (plot) plot.dispose();
      if (plot?.value.audio && !(drawable && value.audio)) player.setSource("", 0);   // the clip was taken away
      host.replaceChildren();
      host.removeAttribute("style");
      host.classList.remove("sp-zoomed");
      plot = drawable ? new Plot(host, value, trigger) : null;
      if (!drawable) host.append(el("p", "sp-hint", value?.hint || "Run to see the plot."));
    };
    watch("value", render);
    render();
  };
})();
