// Heat maps: `matrix` over the time axis, `grid` with equal columns

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
  top.append(el("span", "sp-title", row.title || ""), legend(map), axesLine(row));
  home.append(top);
  if (grid) home.append(plot.rows = el("div", "sp-grid"));   // its rows go into a scroller of their own
  addProfile(map);
  if (grid) addColumnLabels(map);
  addCells(map);
  plot.rows = home;
}

/** What the axes hold, under the title. */
function axesLine({ row_name, column_name }) {
  const line = el("p", "sp-axes");
  line.append("rows ↓ ", el("b", "", row_name), " · columns → ", el("b", "", column_name));
  return line;
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
  box.places = namedParts(row.title || "", row.rows, row.columns, (r, c) => [map.spans[c], map.bands[r]]);
  map.band = box.appendChild(el("i", "sp-band"));
  map.ring = box.appendChild(el("i", "sp-ring"));
  rowLabels(map, gutter);
  listenToKeys(map, box);
  box.addEventListener("pointerleave", () => { if (document.activeElement !== box) map.ring.style.display = ""; });
  plot.painters.push(() => paintCells(map, canvas));
}

/** Buttons while the rows are tall enough to tap; else as many are named as fit, and the gutter itself takes the click. */
function rowLabels(map, gutter) {
  const { rows } = map.row, every = Math.ceil(13 / map.height), plain = map.height < 24;
  map.labels = rows.map((item, i) => (i % every ? null : gutter.appendChild(rowLabel(map, item, i, plain))));
  if (!plain) return roving(gutter, "ArrowUp", "ArrowDown");
  gutter.classList.add("sp-clickable");
  return gutter.addEventListener("click", (event) => {
    const r = gutter.getBoundingClientRect();
    selectRow(map, clamp(Math.floor(((event.clientY - r.top) / r.height) * rows.length), 0, rows.length - 1));
  });
}

function rowLabel(map, item, i, plain) {
  const label = el(plain ? "span" : "button", "sp-rowlabel", null, { title: item.label });
  label.append(el("span", "", item.label));
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
    of.fill(k, Math.max(0, a), Math.max(0, b - (b - a >= 8 * ratio ? Math.round(ratio) : 0)));   // less than 0 would count from the end
  });
  return of;
}

/** A canvas over time holds the stretch that is seen, a grid's all of it. */
const onCanvas = (map) => (map.grid ? map.spans : map.spans.map((span) => map.plot.onCanvas(span)));

function paintCells(map, canvas) {
  const size = fit(canvas);
  if (!size) return;
  const { ctx, w, h, ratio } = size, columns = map.spans.length;
  const columnOf = lookup(onCanvas(map), w, ratio), rowOf = lookup(map.bands, h, ratio);
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
  const spans = onCanvas(map).map((span) => span.map((x) => clamp(x, 0, 1)));   // printed where the cell is seen
  map.values.forEach((v, i) => {
    const r = Math.floor(i / spans.length), [from, to] = spans[i % spans.length];
    const text = signed(v, map.decimals);
    if (Number.isNaN(v) || ctx.measureText(text).width > (to - from) * w - 6 * ratio) return;
    ctx.fillStyle = inkOn(colours[i]);
    ctx.fillText(text, ((from + to) / 2) * w, (r + 0.5) * high);
  });
}

const valueAt = (map, r, c) => map.values[r * map.spans.length + c];
const share = (v) => (v !== 0 && Math.abs(v) < 0.001 ? "less than 0.1" : signed(100 * v, Math.abs(v) < 0.0995 ? 1 : 0)) + "%";

/** What a cell means: the map's sentence with its holes filled, what stands between asterisks set apart. */
function meaning(map, r, c) {
  const { row } = map, v = valueAt(map, r, c), [above, below] = row.sentence, turned = v < 0 && below !== undefined;
  const template = Number.isNaN(v) ? "*{row}*, *{column}*: no value" : turned ? below : above, size = turned ? -v : v;
  const told = { row: row.rows[r].label, column: row.columns[c].label, value: signed(size, map.decimals), percent: share(size) };
  const filled = (text) => text.replace(/\{(\w+)\}/g, (_, hole) => told[hole]), sentence = el("b", "sp-meaning");
  sentence.append(...template.split("*").map((part, i) => (i % 2 ? el("em", "", filled(part)) : filled(part))));
  return sentence;
}

function cellAt(map, x, y) {
  const c = map.spans.findIndex(([from, to]) => x >= from && x < to);
  return c < 0 ? null : [Math.floor(y * map.bands.length), c];
}

function showCell(map, [r, c], at) {
  const { row, plot } = map, item = row.rows[r], column = row.columns[c];
  place(map.ring, map.spans[c], map.bands[r]);
  map.ring.style.display = "block";
  const v = valueAt(map, r, c), figure = Number.isNaN(v) ? [] : [["value", `${signed(v, map.decimals)} ${row.unit}`, ""]];
  plot.tip(at, meaning(map, r, c), "", [
    [row.row_name, item.label, timed(item) ? extent(item) : ""],
    [row.column_name, column.label, timed(column) ? extent(column) : ""], ...figure]);
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
  map.plot.say(`Following ${map.row.row_name} '${item.label}'.`);
}

function listenToKeys(map, box) {
  const { row } = map, name = row.alt || row.title;
  const keys = "Arrow keys move, Enter plays the column, Shift and Enter follows and plays the row.";
  box.tabIndex = 0;
  box.setAttribute("role", "application");
  box.setAttribute("aria-roledescription", "heat map");
  box.setAttribute("aria-label", `${name}. Rows: ${row.row_name}; columns: ${row.column_name}. ${keys}`);
  box.addEventListener("focus", () => { if (box.matches(":focus-visible")) announce(map); });
  box.addEventListener("blur", ({ relatedTarget: next }) => {
    map.ring.style.display = "";
    // A tap on another map of this plot has said already what its cell means, when the focus follows.
    if (!(map.plot.host.contains(next) && next.matches(".sp-heat > .sp-box"))) map.plot.tip(null);
  });
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
  showCell(map, map.focus, null);
  map.ring.scrollIntoView({ block: "nearest", inline: "nearest" });
  const ring = map.ring.getBoundingClientRect();
  showCell(map, map.focus, { clientX: ring.right, clientY: ring.top });
  map.plot.tooltip.scrollIntoView({ block: "nearest" });
  map.plot.say(meaning(map, ...map.focus).textContent);
}

/** Above the map: the selected row's values as bars, each over its own column. */
function addProfile(map) {
  const { box, gutter } = addRow(map.plot, { height: 30, className: "sp-profile", timeless: map.grid });
  const canvas = canvasIn(box), label = gutter.appendChild(el("span", "sp-label"));
  const hint = box.appendChild(el("span", "sp-quiet", "Choose a label at the left to see its row here."));
  map.paintProfile = () => {
    const size = fit(canvas);
    if (!size || map.selected < 0) return;
    hint.remove();
    label.textContent = map.row.rows[map.selected].label;
    const { ctx, w, h, ratio } = size, colours = cellColours(map), { vmin, vmax } = map.row;
    const y = (v) => h * (1 - (clamp(v, vmin, vmax) - vmin) / (vmax - vmin || 1)), zero = y(0);
    ctx.fillStyle = map.plot.css("--sp-hairline");
    ctx.fillRect(0, Math.min(h - ratio, zero), w, ratio);
    onCanvas(map).forEach(([from, to], c) => {
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
  Object.assign(heads.style, { height: `${slanted ? longest * 0.71 + 18 : 24}px`, paddingRight: `${spare}px`,
                               width: `calc(var(--sp-gutter) + var(--sp-columns) + ${spare}px)` });
}

/** The colours with what they stand for; an end that some values lie beyond says so. */
function legend(map) {
  const { row, decimals, values = [] } = map, box = el("div", "sp-legend"), bar = el("i", "sp-ramp"), least = 0.5 * 10 ** -decimals;
  const [low, high] = [row.vmin, row.vmax].map((end) => signed(end, decimals));
  const below = values.some((v) => v < row.vmin - least) ? "≤ " : "", above = values.some((v) => v > row.vmax + least) ? "≥ " : "";
  box.append(el("span", "", below + low), bar, el("span", "", above + high), el("span", "", row.unit || ""));
  if (map.missing) box.append(el("i", "sp-missing"), el("span", "", "no value"));
  map.plot.painters.push(() => {
    const lut = palette(row.scale || "blues", map.plot.dark);
    bar.style.background = `linear-gradient(to right, ${Array.from({ length: 17 }, (_, i) => css(lut[Math.round(i * 15.9375)])).join(", ")})`;
  });
  return box;
}
