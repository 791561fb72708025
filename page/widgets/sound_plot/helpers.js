// Small helpers

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

/** What a box shows, by the names of its rows and columns: for who wants to mark something in it. */
function namedParts(on, rows, columns, span) {
  const labels = (items) => items.map((item) => item.label);
  const spot = (r, c) => { const [[left, right], [top, bottom]] = span(r, c); return [left, top, right - left, bottom - top]; };
  return { on, rows: labels(rows), columns: labels(columns), spot };
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
