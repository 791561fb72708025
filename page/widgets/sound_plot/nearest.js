// A row of buttons at their own times, some of them 5 px wide: a finger chooses the nearest

/** While a finger is down a tooltip names the button that it is nearest to; lifting it presses that one. */
function nearestByTouch(plot, box, items, buttons) {
  let near = -1;
  const distance = ({ start, end }, t) => Math.max(start - t, t - end, 0) || Math.abs(t - (start + end) / 2) * 1e-6;
  const find = (event) => {
    const r = box.getBoundingClientRect(), t = ((event.clientX - r.left) / r.width) * plot.seconds;
    near = items.reduce((best, item, i) => (distance(item, t) < distance(items[best], t) ? i : best), 0);
    plot.tip(event, items[near].label || "silence", "", [["", extent(items[near]), ""]]);
    buttons.forEach((button, i) => button.classList.toggle("sp-near", i === near));
  };
  const leave = () => { near = -1; for (const button of buttons) button.classList.remove("sp-near"); };
  box.addEventListener("pointerdown", (event) => { if (event.pointerType === "touch" && items.length) find(event); });
  box.addEventListener("pointermove", (event) => { if (near >= 0) find(event); });
  for (const end of ["pointercancel", "gotpointercapture"]) box.addEventListener(end, leave);   // it scrolls, or selects a region
  box.addEventListener("click", (event) => {   // after the finger is lifted; the browser's own choice is what lies below
    if (near < 0) return;
    const chosen = buttons[near];
    leave();
    if (event.target.closest("button") === chosen) return;
    event.stopPropagation();
    chosen.click();
  }, true);
}
