// The plot: toolbar, axis, tooltip, and what its rows share

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
