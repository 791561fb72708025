// What a cell of a small picture means: a sentence beside the pointer, or after a tap. The picture brings its names,
// its numbers and the sentence with holes (`data-places`, `data-cell`); the plots over time have their own.
(() => {
  const BESIDE = 14; // px between the pointer and the sentence
  const known = new WeakMap(); // picture -> its maps: read once, not at each movement
  let told = null, last = null; // the sentence and the ring, made when the first is wanted; the arguments of `show`

  const minus = (text) => text.replace("-", "−");
  const percent = (v) => (v !== 0 && Math.abs(v) < 0.001 ? "less than 0.1" : minus((100 * v).toFixed(Math.abs(v) < 0.0995 ? 1 : 0))) + "%";
  const rounded = (v) => minus((Object.is(Number(v.toFixed(2)), -0) ? 0 : v).toFixed(2));

  function made() {
    const [sentence, ring] = ["cell-sentence", "cell-ring"].map((name) => document.body.appendChild(Object.assign(document.createElement("div"), { className: name })));
    sentence.setAttribute("aria-hidden", "true"); // the picture's own text says what is in it
    return { sentence, ring };
  }

  /** [part, row, column, its box on the screen] of the cell at a point, or null. */
  function cellAt(svg, x, y) {
    const page = svg.getBoundingClientRect();
    if (!known.has(svg)) known.set(svg, JSON.parse(svg.dataset.places).filter((part) => part.values));
    for (const part of known.get(svg)) {
      const [left, top, wide, high] = part.box.map((share, i) => share * (i % 2 ? page.height : page.width));
      const c = Math.floor(((x - page.left - left) / wide) * part.columns.length), r = Math.floor(((y - page.top - top) / high) * part.rows.length);
      if (c < 0 || r < 0 || c >= part.columns.length || r >= part.rows.length) continue;
      const w = wide / part.columns.length, h = high / part.rows.length;
      return [part, r, c, [page.left + left + c * w, page.top + top + r * h, w, h]];
    }
    return null;
  }

  function filled(template, part, r, c) {
    const v = part.values[r][c], holes = {
      row: part.rows[r], column: part.columns[c], on: part.on, first_column: part.columns[0], column_number: c + 1,
      columns: part.columns.length, ...(v === null ? {} : { value: rounded(v), percent: percent(v) }) };
    const sentence = v === null ? "*{row}*, *{column}*: no value" : template;
    return sentence.split("*").map((text, i) => {
      const whole = text.replace(/\{(\w+)\}/g, (_, hole) => holes[hole]);
      return i % 2 ? Object.assign(document.createElement("em"), { textContent: whole }) : whole;
    });
  }

  function show(svg, x, y) {
    const found = cellAt(svg, x, y);
    if (!found) return hide();
    told ??= made();
    if (!last) requestAnimationFrame(stay);
    last = [svg, x, y];
    const [part, r, c, [left, top, w, h]] = found, { sentence, ring } = told;
    sentence.replaceChildren(...filled(svg.dataset.cell, part, r, c));
    sentence.style.display = ring.style.display = "block";
    Object.assign(ring.style, { left: `${left + scrollX}px`, top: `${top + scrollY}px`, width: `${w}px`, height: `${h}px` });
    const { width, height } = sentence.getBoundingClientRect(), below = top + h + BESIDE + height < innerHeight;
    const across = Math.max(8, Math.min(x - width / 2, document.documentElement.clientWidth - width - 8));
    Object.assign(sentence.style, { left: `${across + scrollX}px`, top: `${(below ? top + h + BESIDE : top - BESIDE - height) + scrollY}px` });
  }

  /** A picture that is drawn anew, or goes, takes its sentence with it. */
  function stay() {
    if (!last) return;
    if (last[0].isConnected && last[0].checkVisibility()) requestAnimationFrame(stay); else hide();
  }

  function hide() {
    last = null;
    if (told) told.sentence.style.display = told.ring.style.display = "none";
  }

  const over = (event) => (event.target instanceof Element ? event.target.closest("svg[data-cell]") : null);
  const look = (event) => { const svg = over(event); if (svg) show(svg, event.clientX, event.clientY); else hide(); };
  document.addEventListener("pointermove", (event) => { if (event.pointerType === "mouse") look(event); });
  document.addEventListener("click", look); // a tap too
  document.documentElement.addEventListener("pointerleave", hide);
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });
  document.addEventListener("scroll", (event) => { if (event.target !== document) hide(); }, true); // a picture that scrolls in its box
})();
