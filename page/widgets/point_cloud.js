// Points on a plane that can be heard: one canvas, one map per layer, a button that moves from layer to layer.
// Runs once per component (js_on_load) with element, props, trigger and watch; the event's name is 'select'.
// Labels come from users and models, so every text goes through textContent or onto the canvas.
const host = element.querySelector(".pc");
const el = (tag, name, text, more = {}) => {
  const made = document.createElement(tag);
  if (name) made.className = name;
  if (text) made.textContent = text;
  for (const [key, value] of Object.entries(more)) made.setAttribute(key, value);
  return made;
};
const SHAPES = ["circle", "triangle", "square", "diamond", "down", "cross"];
const PLAY = "▶ Play through the layers";
const MARGIN = 14;   // px between the outermost points and the frame
const STEP = 1100, MOVE = 800;   // ms from layer to layer when playing, of which in motion
let value = null, maps = [], shown = null, focus = -1, playing = 0, moving = 0, scale = 1, centre = [0, 0], views = [], current = 0;
let canvas, title, tip, live, button, dots = [];

function decode(text) {
  const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  return new Float32Array(bytes.buffer);
}

function build() {
  host.replaceChildren();
  host.style.cssText = "position:relative;font-size:13px;color:var(--body-text-color)";
  const bar = el("div", "");
  bar.style.cssText = "display:flex;gap:12px;align-items:center;flex-wrap:wrap;margin-bottom:4px";
  button = el("button", "", PLAY, { type: "button" });
  button.style.cssText = "border:1px solid var(--border-color-primary);border-radius:6px;padding:4px 10px;cursor:pointer";
  button.addEventListener("click", play);
  title = el("b", "");
  bar.append(button, title);
  canvas = el("canvas", "", "", { tabindex: "0", role: "application", "aria-roledescription": "map of points" });
  canvas.style.cssText = "display:block;flex:none;max-width:100%;box-sizing:border-box;border:1px solid var(--border-color-primary);border-radius:6px;touch-action:pan-y";
  tip = el("div", "", "", { "aria-hidden": "true" });
  tip.style.cssText = "position:absolute;display:none;pointer-events:none;padding:4px 8px;border-radius:6px;z-index:5;"
    + "background:var(--background-fill-primary);border:1px solid var(--border-color-primary);white-space:pre-line";
  live = el("div", "sp-hidden", "", { "aria-live": "polite" });
  const beside = el("div", "");   // the legend stands where the cloud leaves room
  beside.style.cssText = "display:flex;flex-wrap:wrap;gap:4px 16px;align-items:flex-start";
  beside.append(canvas, legend());
  host.append(bar, beside, tip, live);
  canvas.setAttribute("aria-label", named());
  canvas.addEventListener("pointermove", (event) => hover(nearest(event), event));
  canvas.addEventListener("pointerleave", () => hover(-1));
  canvas.addEventListener("click", (event) => { focus = nearest(event); paint(); hear(); });
  canvas.addEventListener("keydown", key);
}

function legend() {
  const box = el("div", "");
  box.style.cssText = "display:flex;gap:4px 14px;flex-wrap:wrap;margin-top:4px;flex:1 1 110px";
  dots = [];
  if (value.labels.length <= 14) value.labels.forEach((name, k) => {
    const item = el("span", "", name), dot = el("i", "");
    dot.style.cssText = `display:inline-block;width:10px;height:10px;border-radius:5px;margin-right:5px`;
    dots[k] = dot;
    item.prepend(dot);
    box.append(item);
  });
  const marks = ["●", "▲", "■", "◆", "▼", "✖"];
  if (value.speakers.length > 1) value.speakers.forEach((name, k) => box.append(el("span", "", `${marks[k % 6]} ${name}`)));
  return box;
}

function key(event) {
  const n = value.label.length;
  const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
  if (!step && event.key !== "Enter") return;
  event.preventDefault();
  if (!step) return hear();
  focus = focus < 0 ? 0 : (focus + step + n) % n;
  live.textContent = told(focus).replace("\n", ", ");
  paint();
}

const named = () => `${value.summary} Arrow keys move from point to point, Enter plays.`;
function hear() { if (focus >= 0) trigger("select", { point: focus }); }
const told = (i) => `${value.names[i]}${value.labels[value.label[i]] === value.names[i] ? "" : " (" + value.labels[value.label[i]] + ")"}\n${value.where[i]}`;

function hover(i, event) {
  tip.style.display = i < 0 ? "none" : "block";
  canvas.style.cursor = i < 0 ? "default" : "pointer";
  if (i < 0) return;
  tip.textContent = told(i);
  const [x, y] = at(i), w = tip.offsetWidth;
  tip.style.left = `${Math.min(Math.max(0, canvas.offsetLeft + x + 10), host.clientWidth - w)}px`;
  tip.style.top = `${canvas.offsetTop + y + 12}px`;
}

function at(i) {
  const w = canvas.clientWidth, h = canvas.clientHeight;
  return [w / 2 + (shown[2 * i] - centre[0]) * scale, h / 2 - (shown[2 * i + 1] - centre[1]) * scale];
}

function nearest(event) {
  const r = canvas.getBoundingClientRect(), x = event.clientX - r.left, y = event.clientY - r.top;
  let best = -1, least = matchMedia("(pointer: coarse)").matches ? 600 : 160;   // square pixels
  for (let i = 0; i < value.label.length; i++) {
    const [px, py] = at(i), d = (px - x) ** 2 + (py - y) ** 2;
    if (d < least) { least = d; best = i; }
  }
  return best;
}

/** Where a map's points lie: its middle, and half its width and height; both axes have one unit. */
function extent(map) {
  const low = [Infinity, Infinity], high = [-Infinity, -Infinity];
  map.forEach((v, i) => { low[i % 2] = Math.min(low[i % 2], v); high[i % 2] = Math.max(high[i % 2], v); });
  return { centre: [0, 1].map((k) => (low[k] + high[k]) / 2), half: [0, 1].map((k) => (high[k] - low[k]) / 2 || 1) };
}

/** A canvas of the cloud's own shape, so that it is full, as high as most of a screen. */
function fit() {
  const room = host.clientWidth, ratio = devicePixelRatio || 1, places = maps.map(extent), edge = 2 * MARGIN;
  const shapes = places.map(({ half: [x, y] }) => x / y).sort((a, b) => a - b), shape = shapes[shapes.length >> 1];
  let h = Math.min(Math.max(320, Math.min(room * 0.72, innerHeight * 0.6)), 560);
  const w = Math.round(Math.min(room, Math.max((h - edge) * shape + edge, Math.min(room, 300))));
  h = Math.round(Math.min(h, Math.max(240, (w - edge) / shape + edge)));
  Object.assign(canvas.style, { width: `${w}px`, height: `${h}px` });
  canvas.width = Math.round(w * ratio);
  canvas.height = Math.round(h * ratio);
  views = places.map(({ centre: of, half: [x, y] }) => [Math.min((w - edge) / (2 * x), (h - edge) / (2 * y)), ...of]);
  [scale, ...centre] = views[current];
}

/** The colour behind the canvas, so that names can be read on top of points. */
function groundColour() {
  for (let node = host; node; node = node.parentElement) {
    const colour = getComputedStyle(node).backgroundColor;
    if (colour !== "transparent" && !/, 0\)$/.test(colour)) return colour;
  }
  return "Canvas";
}

/** The colours of the labels on this ground: on a dark one lighter, for dark blue on black is not seen. */
function seenColours(ctx) {
  if (!host.closest(".dark")) return value.colours;
  return value.colours.map((colour) => {
    ctx.fillStyle = colour;   // the canvas writes any colour as #rrggbb
    const mixed = [1, 3, 5].map((at) => Math.round(0.6 * parseInt(ctx.fillStyle.slice(at, at + 2), 16) + 0.4 * 255));
    return `rgb(${mixed.join()})`;
  });
}

/** Where a name is written: at its place, or as little above or below it as keeps it clear of those before it. */
function clearOf(taken, x, y, wide) {
  const meets = (at) => taken.some(([tx, ty, tw]) => Math.abs(tx - x) < (tw + wide) / 2 + 4 && Math.abs(ty - at) < 15);
  const found = [0, -15, 15, -30, 30, -45, 45].map((by) => y + by).find((at) => !meets(at)) ?? y;
  taken.push([x, found, wide]);
  return found;
}

function mark(ctx, shape, x, y, r) {
  ctx.beginPath();
  if (shape === "circle") ctx.arc(x, y, r, 0, 7);
  else if (shape === "square") ctx.rect(x - r, y - r, 2 * r, 2 * r);
  else if (shape === "cross") { ctx.rect(x - r, y - r / 3, 2 * r, 2 * r / 3); ctx.rect(x - r / 3, y - r, 2 * r / 3, 2 * r); }
  else {
    const corners = { triangle: [[0, -1], [1, 0.8], [-1, 0.8]], down: [[0, 1], [1, -0.8], [-1, -0.8]], diamond: [[0, -1.2], [1.2, 0], [0, 1.2], [-1.2, 0]] }[shape];
    corners.forEach(([dx, dy], k) => (k ? ctx.lineTo(x + dx * r, y + dy * r) : ctx.moveTo(x + dx * r, y + dy * r)));
    ctx.closePath();
  }
  ctx.fill();
}

function paint() {
  if (!value || !canvas || !canvas.clientWidth) return;   // in a tab that is not open: the observer calls again
  const ctx = canvas.getContext("2d"), ratio = devicePixelRatio || 1, n = value.label.length;
  const ink = getComputedStyle(host).color, w = canvas.clientWidth, h = canvas.clientHeight;
  const ground = groundColour();
  ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
  ctx.clearRect(0, 0, w, h);
  const sums = value.labels.map(() => [0, 0, 0]), colours = seenColours(ctx), taken = [];
  dots.forEach((dot, k) => { dot.style.background = colours[k]; });
  ctx.globalAlpha = 0.75;
  for (let i = 0; i < n; i++) {
    const [x, y] = at(i), k = value.label[i];
    ctx.fillStyle = colours[k];
    mark(ctx, SHAPES[value.speaker[i] % SHAPES.length], x, y, n > 1200 ? 2.5 : 3.5);
    sums[k][0] += x; sums[k][1] += y; sums[k][2] += 1;
  }
  ctx.globalAlpha = 1;
  ctx.textAlign = "center"; ctx.textBaseline = "middle";
  ctx.lineWidth = 3; ctx.lineJoin = "round";
  const write = (text, x, y, font) => {
    ctx.font = font; ctx.strokeStyle = ground; ctx.fillStyle = ink;
    const at = clearOf(taken, x, y, ctx.measureText(text).width);
    ctx.strokeText(text, x, at); ctx.fillText(text, x, at);
  };
  if (value.labels.length <= 45) value.labels.forEach((name, k) => {
    if (sums[k][2]) write(name, sums[k][0] / sums[k][2], sums[k][1] / sums[k][2], "600 13px system-ui, sans-serif");
  });
  if (!moving) for (const [dx, dy, text] of value.arrows[current] || []) {
    const r = 1.2 * scale, x0 = w / 2 - centre[0] * scale, y0 = h / 2 + centre[1] * scale;
    const x = x0 + dx * r, y = y0 - dy * r, turn = Math.atan2(-dy, dx);
    ctx.strokeStyle = ink; ctx.lineWidth = 2;
    ctx.beginPath(); ctx.moveTo(x0, y0); ctx.lineTo(x, y);
    for (const side of [2.6, -2.6]) { ctx.moveTo(x, y); ctx.lineTo(x + 9 * Math.cos(turn + side), y + 9 * Math.sin(turn + side)); }
    ctx.stroke(); ctx.lineWidth = 3;
    write(text, Math.min(Math.max(x + 14 * dx, 44), w - 44), Math.min(Math.max(y - 14 * dy, 12), h - 12), "12px system-ui, sans-serif");
  }
  if (focus >= 0 && focus < n) {
    const [x, y] = at(focus);
    ctx.strokeStyle = ink; ctx.lineWidth = 2;
    ctx.beginPath(); ctx.arc(x, y, 8, 0, 7); ctx.stroke();
  }
  title.textContent = value.titles[current];
}

/** Glide to a map; maps of one run hold the same points in the same order. */
function glide(to) {
  cancelAnimationFrame(moving);
  current = to;
  const from = shown.slice(), goal = maps[to], view = [scale, ...centre], begun = performance.now();
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const frame = (now) => {
    const t = still ? 1 : Math.min(1, (now - begun) / MOVE), ease = t * t * (3 - 2 * t);
    for (let i = 0; i < goal.length; i++) shown[i] = from[i] + (goal[i] - from[i]) * ease;
    [scale, ...centre] = view.map((v, k) => v + (views[to][k] - v) * ease);
    moving = t < 1 ? requestAnimationFrame(frame) : 0;
    paint();
  };
  moving = requestAnimationFrame(frame);
}

function play() {
  if (playing) return stop();
  button.textContent = "■ Stop";
  let k = 0;
  const next = () => {
    if (!host.isConnected || k >= value.layers) return stop();
    glide(k++);
    playing = setTimeout(next, STEP);
  };
  next();
}

function render() {
  const old = value;
  value = props.value && props.value.points ? props.value : null;
  if (!value) { stop(); host.replaceChildren(el("p", "sp-hint", "Run to see the map.")); return; }
  const all = decode(value.points), size = 2 * value.label.length;
  maps = value.titles.map((_, k) => all.subarray(k * size, (k + 1) * size));
  if (old && old.key === value.key && canvas?.isConnected) {   // the same points, seen further or in another layer
    canvas.setAttribute("aria-label", named());
    fit();
    if (old.space !== value.space) { stop(); glide(value.space); } else paint();
    return;
  }
  stop();
  shown = maps[value.space].slice();
  focus = -1;
  current = value.space;
  build();
  fit();
  paint();
}

function stop() {
  clearTimeout(playing);
  cancelAnimationFrame(moving);
  playing = moving = 0;
  if (button) button.textContent = PLAY;
}

new ResizeObserver(() => { if (value && canvas.clientWidth) { fit(); paint(); } }).observe(host);
for (const node of [document.body, document.documentElement]) new MutationObserver(paint).observe(node, { attributeFilter: ["class"] });
watch("value", render);
render();
