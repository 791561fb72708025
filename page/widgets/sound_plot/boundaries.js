// Boundaries of words and phones, moved on the picture: one that two segments or two tiers share moves as one

const SAME = 0.0005;    // s: boundaries that are no further apart are one
const APART = 0.001;    // s that remain between a boundary and its neighbours
const TELLABLE = 8, FINGER = 24;   // px between boundaries that a mouse, and a finger, can tell apart
const REST = 800;       // ms after the last arrow key until the change is sent
const editing = { on: false, unanswered: 0, drawAgain: null };   // whatever plot is drawn next

/** Handles for every boundary, a switch for them, and a way back. */
function boundaryTools(plot) {
  const edit = toolButton("Edit boundaries", "Drag boundaries, or focus one and use the arrow keys: 1 ms, with Shift 10 ms", () => {
    editing.on = !editing.on;
    plot.paint();
  });
  const undo = toolButton("Undo", "Undo the last change of times (Ctrl+Z)", () => undoEdit(plot));
  const hint = el("span", "sp-tool-hint");
  const tiers = plot.tiers.map((tier) => ({ ...tier, boundaries: boundariesOf(tier.items) }));
  for (const tier of tiers) for (const each of tier.boundaries) addHandle(plot, tiers, tier, each);
  plot.boundaries = tiers;
  plot.painters.push(() => {
    edit.setAttribute("aria-pressed", editing.on);
    plot.host.classList.toggle("sp-editing", editing.on);
    undo.setAttribute("aria-disabled", !(plot.value.undo || plot.unsent));
    hint.textContent = placeHandles(plot, tiers) && editing.on ? "Zoom in to move boundaries that are close together." : "";
  });
  return [edit, undo, hint];
}

/** [{time, edges: [[item, "start" or "end"], …]}, …] in order of time. */
function boundariesOf(items) {
  const edges = items.flatMap((item) => [[item, "start"], [item, "end"]]).sort((a, b) => a[0][a[1]] - b[0][b[1]]);
  const found = [];
  for (const [item, side] of edges) {
    const last = found[found.length - 1], own = last?.edges.some(([other]) => other === item);
    if (last && !own && item[side] - last.time <= SAME) last.edges.push([item, side]);
    else found.push({ time: item[side], edges: [[item, side]] });
  }
  return found;
}

function addHandle(plot, tiers, tier, boundary) {
  const named = (side) => boundary.edges.find(([, s]) => s === side)?.[0].label || "silence";
  const handle = boundary.handle = el("div", "sp-handle", null, {
    role: "slider", tabindex: 0, "aria-label": `${tier.label}: boundary between ${named("end")} and ${named("start")}`,
    "aria-valuemin": 0, "aria-valuemax": plot.seconds,
  });
  let grip = null;   // s between the pointer and the boundary, and where all of them were
  handle.addEventListener("pointerdown", (event) => {
    event.stopPropagation();   // else the row would select a region
    if (event.button !== 0 || !event.isPrimary) return;
    sendEdit(plot);
    grip = { by: boundary.time - timeAt(plot, event.clientX), from: boundary.time, moving: together(tiers, boundary) };
    plot.held = true;
    handle.setPointerCapture(event.pointerId);
    handle.focus({ preventScroll: true });
  });
  handle.addEventListener("pointermove", (event) => {
    event.stopPropagation();
    if (!grip) return;
    moveBoundary(plot, grip.moving, timeAt(plot, event.clientX) + grip.by);
    plot.crosshair(boundary.time / plot.seconds);
    plot.tip(event, milliseconds(boundary.time), "s");
  });
  const release = (keep) => {
    if (!grip) return;
    if (!keep) moveBoundary(plot, grip.moving, grip.from);
    if (keep && boundary.time !== grip.from) plot.unsent = new Set(grip.moving.map(([each]) => each));
    grip = null;
    plot.held = false;
    plot.crosshair(null);
    plot.tip(null);
    sendEdit(plot);
  };
  handle.addEventListener("pointerup", (event) => { event.stopPropagation(); release(true); });
  handle.addEventListener("pointercancel", () => release(false));
  handle.addEventListener("blur", () => { if (!grip) sendEdit(plot); });
  handle.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && grip) { event.stopPropagation(); return release(false); }
    const step = { ArrowLeft: -APART, ArrowRight: APART }[event.key];
    if (!step) return;
    event.preventDefault();
    event.stopPropagation();   // else the row's own keys would lead to a word
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    nudge(plot, together(tiers, boundary), boundary.time + step * (event.shiftKey ? 10 : 1));
  });
  tier.box.append(handle);
}

function nudge(plot, moving, time) {
  clearTimeout(plot.sending);
  if (moveBoundary(plot, moving, time)) plot.unsent = new Set([...(plot.unsent ?? []), ...moving.map(([tier]) => tier)]);
  plot.sending = setTimeout(() => sendEdit(plot), REST);
  plot.paintTime();
}

/** [[tier, boundary], …]: this boundary and those of the other tiers at the same time. */
function together(tiers, boundary) {
  return tiers.flatMap((tier) => tier.boundaries.filter((each) => each === boundary || !tier.boundaries.includes(boundary)
    && Math.abs(each.time - boundary.time) <= SAME).slice(0, 1).map((each) => [tier, each]));
}

/** Move all of them to `time` (s), or as near as their neighbours let them; whether anything moved. */
function moveBoundary(plot, moving, time) {
  let low = 0, high = plot.seconds;
  for (const [{ boundaries }, each] of moving) {
    const k = boundaries.indexOf(each);
    if (k > 0) low = Math.max(low, boundaries[k - 1].time + APART);
    if (k < boundaries.length - 1) high = Math.min(high, boundaries[k + 1].time - APART);
  }
  if (low > high) return false;   // neighbours that are nearer than that already
  const to = Number(clamp(time, low, high).toFixed(4)), before = moving[0][1].time;
  for (const [tier, each] of moving) {
    each.time = to;
    for (const [item, side] of each.edges) item[side] = to;
    for (const [item] of each.edges) tier.place(item);
  }
  plot.paint();
  return to !== before;
}

/** Handles of what is seen and can be told apart; whether any had to be left out. */
function placeHandles(plot, tiers) {
  const [from, to] = plot.stretch, x = (t) => ((t - from) / (to - from)) * plot.wide;
  const least = fingers.matches ? FINGER : TELLABLE;
  let close = false;
  for (const { boundaries } of tiers) {
    boundaries.forEach((each, k) => {
      const gap = Math.min(each.time - (boundaries[k - 1]?.time ?? -Infinity), (boundaries[k + 1]?.time ?? Infinity) - each.time);
      const room = gap * plot.wide / (to - from), seen = each.time >= from && each.time <= to, { handle } = each;
      const focused = handle === document.activeElement;
      handle.hidden = !editing.on || !seen || (room < least && !focused);
      close ||= seen && room < least;
      if (handle.hidden) return;
      handle.style.left = percent(each.time / plot.seconds);
      handle.style.width = `${clamp(room, least, FINGER)}px`;
      handle.setAttribute("aria-valuenow", milliseconds(each.time));
      handle.setAttribute("aria-valuetext", `${milliseconds(each.time)} s`);
    });
  }
  return close;
}

/** Tell the server what was moved: all times of those tiers, once. */
function sendEdit(plot) {
  clearTimeout(plot.sending);
  const moved = plot.unsent;
  plot.unsent = null;
  if (moved) {
    const times = Object.fromEntries([...moved].map((tier) => [tier.label, tier.items.map(({ start, end }) => [start, end])]));
    plot.value.undo += 1;   // until the server says how many there are
    askForEdit(plot, { times });
  }
  plot.whenFree();
}

function undoEdit(plot) {
  sendEdit(plot);   // first what was done, then back
  if (!plot.value.undo) return;
  plot.value.undo -= 1;
  askForEdit(plot, { undo: true });
}

function askForEdit(plot, asked) {
  editing.unanswered += 1;
  plot.trigger("edit", { clip: plot.value.clip, ...asked });
  plot.paintSoon();
}

/** A picture that was on its way while a boundary was moved shows times from before: the next hand would move those. */
const isOutdated = (plot, value) => editing.unanswered > 0 && Boolean(plot?.value.editable) && value?.clip === plot.value.clip;

/** The server has taken an edit, and its picture follows; or has refused it, and what it holds is drawn again. */
window.speechEdits = {
  answered(taken) {
    editing.unanswered = Math.max(0, editing.unanswered - 1);
    if (!taken && !editing.unanswered) editing.drawAgain?.();
    return [];
  },
};

/** Ctrl+Z; true if this was it. */
function boundaryKey(plot, event) {
  if (!plot.boundaries || !(event.ctrlKey || event.metaKey) || event.shiftKey || event.key.toLowerCase() !== "z") return false;
  undoEdit(plot);
  return true;
}

/** What has the focus, so that a plot that is drawn again can give it back: [tier's name, its number there], or [null, its number]. */
function focusedPart(plot) {
  for (const tier of plot.boundaries || []) {
    const k = tier.boundaries.findIndex(({ handle }) => handle === document.activeElement);
    if (k >= 0) return [tier.label, k];
  }
  const k = steadyParts(plot).indexOf(document.activeElement);
  return k >= 0 ? [null, k] : null;
}

function focusPart(plot, [label, k]) {
  const tier = (plot.boundaries || []).find((each) => each.label === label);
  const part = label === null ? steadyParts(plot)[k] : tier?.boundaries[k]?.handle;
  part?.focus({ preventScroll: true });
}

/** What every drawing of a clip has. */
const steadyParts = (plot) => [plot.scroller, ...plot.host.querySelectorAll(".sp-bar button, .sp-tools button")];
