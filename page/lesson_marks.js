// What a lesson asks about, ringed on its picture. It is found by the names of rows and columns: where one of them is not
// there, or is there twice, nothing is marked and no sentence says so.
(() => {
  const SVG = "http://www.w3.org/2000/svg", CELL = 4, POINT = 6; // SVG units: how far a ring stands off; radius
  const MAPS = ".sp-heat > .sp-box, .sp-words > .sp-box, svg[data-places]";
  let waiting = 0, rings = []; // what is on the page: [picture, place as text, element]

  const only = (found) => (found.length === 1 ? found[0] : -1);
  const numbers = (names, fits) => names.flatMap((_, i) => (fits(i) ? [i] : []));

  /** The number of the one that is called so; "IY [T] AH" is a T between these two. */
  function numberOf(names, asked) {
    const [, before, name, after] = asked.match(/^(\S+) \[(.+)\] (\S+)$/) ?? [null, null, asked, null];
    return only(numbers(names, (i) => names[i] === name && (before === null || (names[i - 1] === before && names[i + 1] === after))));
  }

  /** Pictures of a view, each with the parts that it names, in the order of the page. */
  function pictures(view) {
    return [...view.querySelectorAll(MAPS)].flatMap((home) =>
      (home.places ? [home.places] : home.dataset.places ? JSON.parse(home.dataset.places) : []).map((part) => ({ home, part })));
  }

  /** [left, top, width, height] of each cell in fractions of its picture (a point has no size), or null. */
  function spotsOf({ part }, cells) {
    const spots = cells.map(([row, column]) => {
      const r = numberOf(part.rows, row), c = numberOf(part.columns, column);
      if (r < 0 || c < 0) return null;
      if (part.at) return [...part.at[c], 0, 0];
      if (part.spot) return part.spot(r, c);
      const [left, top, wide, high] = part.box, w = wide / part.columns.length, h = high / part.rows.length;
      return [left + c * w, top + r * h, w, h];
    });
    return spots.includes(null) ? null : spots;
  }

  /** The first picture of this name that has all of the cells; those of several curves are asked of one after the other. */
  function find(view, { on, cells }) {
    const named = pictures(view).filter(({ part }) => part.on.includes(on));
    for (const home of new Set(named.map((each) => each.home))) {
      const parts = named.filter((each) => each.home === home);
      const spots = cells.map((cell) => parts.map((each) => spotsOf(each, [cell])).find(Boolean)?.[0] ?? null);
      if (!spots.includes(null)) return spots.map((spot) => [home, spot]);
    }
    return null;
  }

  /** Rings at these places and at no others; those that are there already stay, for a picture is often looked at again. */
  function ringAll(spots) {
    const asked = spots.map(([home, spot]) => [home, spot.join()]), is = (one) => (other) => other[0] === one[0] && other[1] === one[1];
    for (const each of rings) if (!asked.some(is(each))) each[2].remove();
    rings = rings.filter((each) => each[2].isConnected);
    spots.forEach(([home, spot], k) => {
      if (!rings.some(is(asked[k]))) rings.push([...asked[k], home.appendChild(ring(home, spot))]);
    });
  }

  function ring(home, [left, top, wide, high]) {
    if (home instanceof SVGElement) return ringInSvg(home, left, top, wide, high);
    const mark = Object.assign(document.createElement("i"), { className: "lesson-ring" });
    const sides = { left, top, width: wide, height: high };
    for (const [side, share] of Object.entries(sides)) mark.style[side] = `${100 * share}%`;
    return mark;
  }

  function ringInSvg(svg, left, top, wide, high) {
    const { width, height } = svg.viewBox.baseVal, group = document.createElementNS(SVG, "g");
    group.setAttribute("class", "lesson-ring");
    for (const kind of ["halo", "line"]) {
      const shape = document.createElementNS(SVG, wide ? "rect" : "circle");
      const at = wide ? { x: left * width, y: top * height, width: wide * width, height: high * height, rx: CELL / 2 }
                      : { cx: left * width, cy: top * height, r: POINT };
      for (const [name, value] of Object.entries({ class: kind, ...at })) shape.setAttribute(name, value);
      group.append(shape);
    }
    return group;
  }

  /** A range over these words of the status line and the number that follows them, or null. */
  function wordsIn(view, words) {
    const line = view.querySelector(".status");
    if (!line) return null;
    const walker = document.createTreeWalker(line, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      const at = walker.currentNode.data.indexOf(words), range = document.createRange();
      if (at < 0) continue;
      range.setStart(walker.currentNode, at);
      range.setEnd(walker.currentNode, at + words.length + walker.currentNode.data.slice(at + words.length).match(/^ ?\S*/)[0].length);
      return range;
    }
    return null;
  }

  function markWords(view, words) {
    const range = words && window.CSS?.highlights ? wordsIn(view, words) : null;
    if (range) CSS.highlights.set("lesson", new Highlight(range)); else window.CSS?.highlights?.delete("lesson");
    return Boolean(range);
  }

  /** Whether what is on screen is what the lesson asks about: of no other model or clip, nor the visitor's own. */
  function isOf({ technique, clip, model }) {
    const { shared } = window.ism;
    return shared.technique === technique && shared.model === model && (!clip || shared.clip === clip);
  }

  function mark() {
    waiting = 0;
    const lesson = document.querySelector(".lesson.open"), asked = lesson ? JSON.parse(lesson.dataset.mark) : { cells: [] };
    const view = lesson && isOf(asked) ? document.querySelector(`#view-${asked.technique} .first-side`) : null;
    watcher.disconnect();
    const spots = (view && asked.cells.length && find(view, asked)) || [], words = markWords(view, view && asked.words);
    ringAll(spots);
    if (lesson) lesson.querySelector(".lesson-mark").hidden = !spots.length && !words;
    if (lesson) watcher.observe(document.getElementById("main"), { childList: true, subtree: true, characterData: true });
  }

  const watcher = new MutationObserver(() => window.lessonMarks.look());
  window.lessonMarks = { look() { waiting ||= requestAnimationFrame(mark); } };
})();
