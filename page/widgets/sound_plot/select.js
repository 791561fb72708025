// The selection: where it begins and ends, and how it is played

/** A row of buttons under the toolbar of the plot that brings the clip's sound. */
function selectionTools(plot) {
  const tools = el("div", "sp-tools"), told = el("output", "sp-selected-times");
  const play = toolButton("Play selection", "Play the selection (Space)", () => playSelection(plot));
  const loop = toolButton("Loop", "Play again and again (L)", () => { player.loop = !player.loop; });
  const slow = toolButton("Half speed", "Half speed at the same pitch (H)", () => { player.slow = !player.slow; });
  tools.append(play, loop, slow, told);
  plot.timeListeners.push(() => {
    const { region } = plot, text = selectedText(region, fingers.matches && plot.host.classList.contains("sp-zoomed"));
    play.setAttribute("aria-disabled", !region);
    loop.setAttribute("aria-pressed", player.loop);
    slow.setAttribute("aria-pressed", player.slow);
    if (told.textContent !== text) told.textContent = text;
  });
  return tools;
}

function toolButton(text, title, act) {
  const button = el("button", "sp-tool", text, { type: "button", title });
  button.addEventListener("click", act);
  return button;
}

const milliseconds = (t) => t.toFixed(3);
const fingers = window.matchMedia("(pointer: coarse)");
const selectedText = (region, held = false) => (region
  ? `${milliseconds(region[0])} to ${milliseconds(region[1])} s, ${milliseconds(region[1] - region[0])} s long`
  : `No selection: ${held ? "hold a finger on the picture, then drag" : "drag over the picture"}, or choose a word.`);

function playSelection(plot) { if (plot.region) plot.play(...plot.region); }

/** The end that is nearer to `t` moves there, as when Shift is held in Praat; without a selection the cursor is one end. */
function extendSelection(plot, t) {
  if (plot.isStale()) return;
  player.load(plot.value.clip);
  const [a, b] = player.region ?? [player.audio.currentTime, player.audio.currentTime];
  const kept = Math.abs(t - a) < Math.abs(t - b) ? b : a;
  player.select(Math.min(kept, t), Math.max(kept, t));
}

let grown = null;   // the selection that keys have made: which of its ends stays, and which moves

/** One end stays where the first key found it; the other moves by a hundredth of what is seen, and is seen. */
function growSelection(plot, step) {
  player.load(plot.value.clip);
  const [from, to] = plot.stretch, { region } = player, t = player.audio.currentTime;
  const { kept, end } = region && grown?.region === region ? grown : { kept: region?.[0] ?? t, end: region?.[1] ?? t };
  const next = clamp(end + step * Math.max(0.001, (to - from) / 100), 0, plot.seconds);
  player.select(Math.min(kept, next), Math.max(kept, next));
  grown = { region: player.region, kept, end: next };
  const by = Math.max(0, next - to) + Math.min(0, next - from);
  if (by) stretches.set(plot.clip, plot.seconds, from + by, to + by);
  plot.say(selectedText(player.region));
}

/** Keys for all that can be done with a selection; true if this was one. */
function selectionKey(plot, event) {
  if (event.ctrlKey || event.metaKey || event.altKey || plot.isStale()) return false;
  const key = event.key.toLowerCase(), step = { arrowleft: -1, arrowright: 1 }[key];
  if (event.shiftKey && step && event.target === plot.scroller) growSelection(plot, step);
  else if (key === "l" && !event.shiftKey) player.loop = !player.loop;
  else if (key === "h" && !event.shiftKey) player.slow = !player.slow;
  else return false;
  return true;
}
