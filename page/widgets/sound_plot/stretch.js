// Which stretch of a clip is seen: one for all plots of that clip, however wide each of them is

const SHORTEST = 0.01;   // s; two periods of a voice of 200 Hz

function makeStretches() {
  const seen = new Map();   // clip -> [from, to] in seconds; a clip that is not in it is seen whole
  const listeners = new Set();
  let asked = null;         // by a link, whose clip is still on its way

  function tell(clip) {
    for (const listener of [...listeners]) listener(clip);
    if (clip !== player.clip) return;
    const [from, to] = (seen.get(clip) ?? ["", ""]).map((t) => (t === "" ? t : String(+t.toFixed(3))));
    document.dispatchEvent(new CustomEvent("stretch", { detail: { from, to } }));   // for the address of the page
  }

  return {
    of(clip, seconds) {
      const [from, to] = seen.get(clip) ?? [0, seconds];
      return to > seconds ? [Math.max(0, from - (to - seconds)), seconds] : [from, to];
    },
    set(clip, seconds, from, to) {
      const length = clamp(to - from, Math.min(SHORTEST, seconds), seconds), start = clamp(from, 0, seconds - length);
      if (length > seconds - 1e-6) seen.delete(clip); else seen.set(clip, [start, start + length]);
      tell(clip);
    },
    /** What a link asks for, as text; nothing: the whole clip. */
    ask(from, to) {
      asked = from === "" && to === "" ? null : [Number(from), Number(to)];
      if (player.clip === null) return;   // comes with the clip
      const [start, end] = asked ?? [0, player.seconds];
      asked = null;
      this.set(player.clip, player.seconds, start, end);
    },
    /** Another clip is loaded. */
    arrived(clip, seconds) {
      if (asked) this.set(clip, seconds, ...asked); else tell(clip);
      asked = null;
    },
    subscribe(listener) { listeners.add(listener); return () => listeners.delete(listener); },
  };
}
const stretches = (window.speechStretches ||= makeStretches());

/** The time under the pointer, in seconds, in a plot's rows over time; beside them, that of the edge that is seen. */
function timeAt(plot, clientX) {
  const r = plot.time.querySelector(".sp-box").getBoundingClientRect();
  return clamp((clientX - r.left) / r.width, ...plot.view) * plot.seconds;
}

/** Make the stretch `factor` times as long, with the moment `about` where it is on the screen. */
function stretchBy(plot, factor, about) {
  const [from, to] = plot.stretch, length = clamp((to - from) * factor, SHORTEST, plot.seconds);
  const start = about - ((about - from) / (to - from)) * length;
  stretches.set(plot.clip, plot.seconds, start, start + length);
}

/** What stays where it is when a button or a key zooms: the middle of the selection, the cursor, or the middle. */
function keptInPlace(plot) {
  const [from, to] = plot.stretch, inside = (t) => t > from && t < to, t = player.audio.currentTime;
  const { region } = plot, middle = region ? (region[0] + region[1]) / 2 : NaN;
  if (plot.isStale() || !plot.isPlayed()) return (from + to) / 2;
  return inside(middle) ? middle : inside(t) && t > 0 ? t : (from + to) / 2;
}

const zoomIn = (plot) => stretchBy(plot, 0.5, keptInPlace(plot));
const zoomOut = (plot) => stretchBy(plot, 2, keptInPlace(plot));
const zoomToAll = (plot) => stretches.set(plot.clip, plot.seconds, 0, plot.seconds);
function zoomToSelection(plot) {
  if (!plot.region) return;
  const [from, to] = plot.region, margin = Math.max(0, SHORTEST - (to - from)) / 2;   // a tiny one stays in the middle
  stretches.set(plot.clip, plot.seconds, from - margin, to + margin);
}
function moveBy(plot, share) {
  const [from, to] = plot.stretch, by = share * (to - from);
  stretches.set(plot.clip, plot.seconds, from + by, to + by);
}

/** The stretch that a finger came down on, moved as far as the finger, px. */
function panFrom(plot, [from, to], pixels) {
  const by = (-pixels / plot.wide) * (to - from);
  plot.tip(null);
  stretches.set(plot.clip, plot.seconds, from + by, to + by);
}

const ZOOM_KEYS = { "+": zoomIn, "=": zoomIn, "-": zoomOut, 0: zoomToAll, z: zoomToSelection };
const MOVE_KEYS = { ArrowLeft: -0.1, ArrowRight: 0.1, PageUp: -0.9, PageDown: 0.9, Home: -Infinity, End: Infinity };

/** Keys of a plot that has the focus; true if this was one. */
function stretchKey(plot, event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey && event.key !== "+") return false;
  const zoom = ZOOM_KEYS[event.key], share = event.target === plot.scroller ? MOVE_KEYS[event.key] : undefined;
  if (zoom) zoom(plot);
  else if (share === undefined) return false;
  else if (Number.isFinite(share)) moveBy(plot, share);
  else moveBy(plot, Math.sign(share) * plot.seconds / SHORTEST);   // farther than any clip
  return true;
}

/** Buttons for what keys, wheel and fingers do as well. */
function zoomButtons(plot) {
  const group = el("div", "sp-zoom", null, { role: "group", "aria-label": "Zoom the time axis" });
  const made = [["−", "Zoom out", zoomOut], ["+", "Zoom in", zoomIn], ["Selection", "Zoom to the selection", zoomToSelection],
                ["All", "Show all of the clip", zoomToAll]].map(([text, name, act]) => {
    const button = el("button", "", text, { type: "button", "aria-label": name, title: name });
    button.addEventListener("click", () => act(plot));
    group.append(button);
    return button;
  });
  plot.timeListeners.push(() => {   // not `disabled`: the focus would be lost
    const [from, to] = plot.stretch, whole = to - from > plot.seconds - 1e-6;
    const idle = [whole, to - from < SHORTEST + 1e-6, !plot.region, whole];
    made.forEach((button, i) => button.setAttribute("aria-disabled", idle[i]));
  });
  return group;
}

/** The wheel with Ctrl or Command (a trackpad's pinch is the same) and two fingers zoom; all else scrolls as ever. */
function listenToZoom(plot, signal) {
  const { scroller } = plot;
  scroller.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    const pixels = event.deltaY * (event.deltaMode ? 40 : 1), speed = Math.abs(pixels) < 40 ? 0.01 : 0.0025;
    stretchBy(plot, Math.exp(clamp(pixels * speed, -1, 1)), timeAt(plot, event.clientX));
  }, { passive: false, signal });
  let pinch = null;   // when two fingers came down: their distance, the time between them, the length that was seen
  const spread = ([a, b]) => Math.max(20, Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY));
  const middle = ([a, b]) => (a.clientX + b.clientX) / 2;
  const begin = ({ touches }) => {
    const [from, to] = plot.stretch;
    pinch = touches.length === 2 ? { apart: spread(touches), at: timeAt(plot, middle(touches)), length: to - from } : null;
  };
  for (const name of ["touchstart", "touchend", "touchcancel"]) scroller.addEventListener(name, begin, { passive: true, signal });
  scroller.addEventListener("touchmove", (event) => {
    if (!pinch || event.touches.length !== 2) return;
    event.preventDefault();
    const length = clamp((pinch.length * pinch.apart) / spread(event.touches), SHORTEST, plot.seconds);
    const seen = scroller.getBoundingClientRect(), gutter = plot.gutterWidth();
    const share = (middle(event.touches) - seen.left - gutter) / (scroller.clientWidth - gutter);
    const start = pinch.at - share * length;
    stretches.set(plot.clip, plot.seconds, start, start + length);
  }, { passive: false, signal });
}
