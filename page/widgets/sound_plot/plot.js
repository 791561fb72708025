// The plot: toolbar, axis, tooltip, and what its rows share

const KINDS = { wave: waveRow, image: imageRow, segments: segmentsRow, line: lineRow, matrix: heatRow, grid: heatRow };

class Plot {
  constructor(host, value, trigger) {
    Object.assign(this, { host, value, trigger, seconds: value.seconds, marks: [], painters: [], timeListeners: [], tiers: [], keyed: new Set(), frame: 0, wide: 0, scrolled: 0, pointed: false, held: false });
    this.emit = (detail) => trigger("select", detail);
    this.scroller = el("div", "sp-scroll", null, { tabindex: 0, role: "group", "aria-label": value.summary || "Plot over time" });
    this.rows = this.time = el("div", "sp-rows");
    this.tooltip = el("div", "sp-tip", null, { "aria-hidden": "true" });
    this.live = el("div", "sp-hidden", null, { "aria-live": "polite" });
    this.build();
    this.connect();
  }

  get clip() { return this.value.clip ?? player.clip; }
  get stretch() { return stretches.of(this.clip, this.seconds); }   // s
  get view() { return this.stretch.map((t) => t / this.seconds); }
  get dark() { return this.host.closest(".dark") !== null; }
  css(name) { return getComputedStyle(this.host).getPropertyValue(name).trim(); }
  gutterWidth() { return this.host.querySelector(".sp-gutter").getBoundingClientRect().width; }
  touchable(height) { return matchMedia("(pointer: coarse)").matches || innerWidth < 520 ? Math.max(36, height) : height; }
  say(text) { this.live.textContent = text; }

  build() {
    const { value, host } = this, rows = value.rows.map((row, i) => [row, i]);
    this.note = el("p", "sp-note");
    host.append(el("p", "sp-hidden", value.summary || ""), this.toolbar(), this.note, this.scroller);
    this.scroller.append(this.time);
    const overTime = rows.filter(([row]) => row.kind !== "grid"), grids = rows.filter(([row]) => row.kind === "grid");
    for (const [row, i] of overTime) KINDS[row.kind](this, row, i);
    if (value.audio && overTime.length) this.tools();
    if (overTime.length) this.axis(); else this.scroller.hidden = this.bar.hidden = true;
    this.rows = host;
    for (const [row, i] of grids) KINDS[row.kind](this, row, i);
    host.append(this.tooltip, this.live);
  }

  toolbar() {
    this.bar = el("div", "sp-bar");
    this.button = el("button", "sp-play", null, { type: "button" });
    this.clock = el("span", "sp-clock");
    this.button.addEventListener("click", () => this.toggle());
    this.bar.append(this.button, this.clock, zoomButtons(this));
    return this.bar;
  }

  tools() {
    const tools = selectionTools(this);
    if (this.value.editable) tools.append(...boundaryTools(this));
    this.bar.after(tools);
  }

  axis() {
    const { box, gutter } = addRow(this, { label: "seconds", height: 24, className: "sp-axis" });
    this.hoverTime = box.appendChild(el("span", "sp-hovertime"));
    gutter.firstChild.removeAttribute("title");
    this.painters.push(() => this.paintTicks(box));
  }

  paintTicks(box) {
    const [from, to] = this.stretch, { wide } = this, room = Math.max(2, wide / 52), x = (t) => ((t - from) / (to - from)) * wide;
    const step = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20].find((s) => (to - from) / s <= room) || 30;
    box.querySelectorAll(".sp-tick").forEach((tick) => tick.remove());
    for (let k = Math.ceil(from / step - 1e-9); k * step <= to + 1e-9; k++) {
      const t = k * step, side = x(t) < 14 ? " sp-first" : x(t) > wide - 14 ? " sp-last" : "";
      const tick = el("span", `sp-tick${side}`, String(+t.toFixed(3)));
      tick.style.left = percent(t / this.seconds);
      box.append(tick);
    }
  }

  /** Where a span of the clip, in fractions of it, is on a canvas over time, which holds the stretch alone. */
  onCanvas([left, right]) {
    const [a, b] = this.view;
    return [(left - a) / (b - a), (right - a) / (b - a)];
  }

  /** The rows are as wide as the whole clip is at this zoom; the scroller is where the stretch is. */
  layOut() {
    const [a, b] = this.view, { scroller, time } = this;
    if (scroller.hidden) return;
    this.wide = scroller.clientWidth - this.gutterWidth();   // of the stretch on the screen, px
    for (const [name, value] of [["zoom", 1 / (b - a)], ["from", percent(a)], ["span", percent(b - a)]]) time.style.setProperty(`--sp-${name}`, value);
    this.host.classList.toggle("sp-zoomed", b - a < 1);
    const left = (a * this.wide) / (b - a);
    if (Math.abs(scroller.scrollLeft - left) >= 1) scroller.scrollLeft = left;
    this.scrolled = scroller.scrollLeft;
  }

  onScroll() {
    const { scroller } = this, [from, to] = this.stretch;
    if (!scroller.clientWidth || Math.abs(scroller.scrollLeft - this.scrolled) < 1) return;   // it was us
    const start = (scroller.scrollLeft / this.wide) * (to - from);
    stretches.set(this.clip, this.seconds, start, start + to - from);
  }

  /** Everything that outlives one drawing is registered here, and undone in dispose(). */
  connect() {
    this.unsubscribe = player.subscribe(() => (this.host.isConnected ? this.paintTime() : this.dispose()));
    this.unseen = stretches.subscribe((clip) => { if (clip === this.clip && this.host.isConnected) this.paintSoon(); });
    this.resizing = new ResizeObserver(() => this.paint());
    this.resizing.observe(this.scroller.hidden ? this.host : this.scroller);
    this.theme = new MutationObserver(() => this.paint());
    for (const node of [document.body, document.documentElement]) this.theme.observe(node, { attributeFilter: ["class"] });
    this.keys = new AbortController();
    this.host.addEventListener("keydown", (event) => this.key(event), { signal: this.keys.signal });
    document.addEventListener("pointerdown", (event) => {   // a tapped tooltip goes with the next tap elsewhere
      if (!this.host.contains(event.target)) this.tip(null);
    }, { signal: this.keys.signal });
    this.scroller.addEventListener("scroll", () => this.onScroll(), { signal: this.keys.signal });
    listenToZoom(this, this.keys.signal);
    if (this.value.audio) this.bringSound();
    if (this.value.sound) player.add(this.value.sound.url || this.value.sound, this.value.clip);
    this.paint();
  }

  bringSound() {
    const { clip } = this.value, same = player.clip === (clip ?? null) && player.url;
    player.setSource(this.soundUrl, this.seconds, clip ?? null);
    if (!same) stretches.arrived(player.clip, this.seconds);
  }

  get soundUrl() { return this.value.audio?.url || this.value.audio; }

  dispose() {
    this.disposed = true;
    cancelAnimationFrame(this.frame);
    this.unsubscribe();
    this.unseen();
    this.resizing.disconnect();
    this.theme.disconnect();
    this.keys.abort();
  }

  key(event) {
    if (event.key === "Escape") { player.clearRegion(); this.tip(null); }
    if (!event.defaultPrevented && (boundaryKey(this, event) || selectionKey(this, event) || stretchKey(this, event))) return event.preventDefault();
    const onButton = event.target.closest("button");
    if (event.key !== " " || (onButton && player.audio.paused)) return;   // a paused word button answers Space itself
    event.preventDefault();
    this.toggle();
  }

  /** While a boundary is in the visitor's hand, or a change is not sent, the picture is not drawn again. */
  get busy() { return this.held || Boolean(this.unsent); }

  /** What waits until then. */
  whenFree() {
    const { waiting } = this;
    if (this.busy || !waiting) return;
    this.waiting = null;
    waiting();
  }

  /** A tab may still show the clip before: playing the new one under it would be a lie. */
  isStale() { return !player.has(this.value.clip); }

  /** Whether what is played now is this plot's clip: a plot beside another one's stands still meanwhile. */
  isPlayed() { return this.value.clip === undefined || player.loaded === null || this.value.clip === player.loaded; }

  /** What is selected of this plot's clip: [from, to] in seconds, or null. */
  get region() { return this.isStale() || !this.isPlayed() ? null : player.region; }

  warnIfStale(stale) {
    const text = stale ? "This plot shows another clip than the one loaded now. Run it again to hear it." : "";
    if (this.note.textContent !== text) this.note.textContent = text;
  }

  play(start, end = null) { if (!this.isStale()) player.play(start, end, this.value.clip); }
  toggle() { if (!this.isStale()) player.toggle(this.value.clip, this.seconds); }
  playRegion(start, end) { this.play(start, end); this.emit({ start, end }); }

  paint() {
    if (!this.host.clientWidth) return;   // in a tab that is not open: the ResizeObserver calls again
    this.host.style.setProperty("--sp-ground", groundColour(this.host));
    this.layOut();
    for (const painter of this.painters) painter();
    this.paintTime();
  }

  paintSoon() {
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      if (this.pointed) { this.crosshair(null); this.tip(null); }   // something else is under the pointer now
      this.paint();
    });
  }

  paintTime() {
    const stale = this.isStale(), still = stale || !this.isPlayed(), playing = !still && !player.audio.paused, name = playing ? "Pause" : "Play";
    const t = still ? 0 : player.audio.currentTime, { region } = this;
    this.warnIfStale(stale);
    for (const { cursor } of this.marks) { cursor.style.left = percent(t / this.seconds); cursor.hidden = !playing && t === 0; }
    this.shade(region && region.map((s) => Math.min(1, s / this.seconds)));
    for (const listener of this.timeListeners) listener(t, playing);
    this.button.classList.toggle("sp-playing", playing);
    this.button.disabled = stale || !player.url;
    if (this.button.getAttribute("aria-label") !== name) this.button.setAttribute("aria-label", name);
    this.clock.textContent = `${t.toFixed(2)} / ${this.seconds.toFixed(2)} s`;
    if (playing) this.follow(t);
  }

  follow(t) {   // page by page
    const [from, to] = this.stretch;
    if (t < from || t > to) stretches.set(this.clip, this.seconds, t, t + to - from);
  }

  shade(span) {
    for (const { region } of this.marks) {
      region.hidden = !span;
      if (span) place(region, span);
    }
  }

  crosshair(x) {
    this.pointed = x !== null;
    for (const { hover } of this.marks) { hover.hidden = x === null; hover.style.left = percent(x); }
    if (!this.hoverTime) return;
    this.hoverTime.hidden = x === null;
    this.hoverTime.style.left = percent(x);
    this.hoverTime.textContent = x === null ? "" : (x * this.seconds).toFixed(this.view[1] - this.view[0] < 1 ? 3 : 2);
  }

  /** A figure in large type (or a sentence, as a node), its unit, then lines of [name, label, extra]; `at` null hides it. */
  tip(at, figure = "", unit = "", lines = []) {
    const { tooltip } = this;
    tooltip.style.display = at ? "grid" : "none";
    if (!at) return;
    const head = el("p", "");
    head.append(figure instanceof Node ? figure : el("b", "", figure), ` ${unit}`);
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
    if (plot?.busy) { plot.waiting = render; return; }
    if (isOutdated(plot, value)) { editing.drawAgain = render; return; }
    if (plot && drawable && sameAsDrawn(plot, value)) return;
    const held = plot && focusedPart(plot);
    if (plot) plot.dispose();
    if (plot?.value.audio && !(drawable && value.audio)) player.setSource("", 0);   // the clip was taken away
    host.replaceChildren();
    host.removeAttribute("style");
    host.classList.remove("sp-zoomed", "sp-editing");
    plot = drawable ? new Plot(host, ownCopy(value), trigger) : null;
    if (held && plot) focusPart(plot, held);
    if (plot?.value.editable) editing.drawAgain = render;
    if (!drawable) host.append(el("p", "sp-hint", value?.hint || "Run to see the plot."));
  };
  watch("value", render);
  render();
};

/** A plot whose boundaries can be moved moves its own, not those of the value that Gradio keeps. */
function ownCopy(value) {
  if (!value.editable) return value;
  const rows = value.rows.map((row) => (row.kind === "segments" ? { ...row, items: row.items.map((item) => ({ ...item })) } : row));
  return { ...value, rows };
}

/** After an edit the server sends what is drawn already: the focus, and a hand on the next boundary, stay where they are. */
function sameAsDrawn(plot, value) {
  const told = ({ undo, drawn, ...rest }) => JSON.stringify(rest);
  if (plot.disposed || !value.editable || told(plot.value) !== told(value)) return false;
  plot.value.undo = value.undo;
  plot.paint();
  return true;
}
