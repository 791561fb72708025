// Links that carry the whole view, runs that start by themselves, and files saved without touching the server's disk.
window.ism = {
  ready: false, // Tab.select fires on page load before the link has been read: the address must not be overwritten yet
  shared: {}, // technique, model, clip, units: what every link carries
  options: {}, // of the technique on screen
  key: "", // changes when the clip, its segments or the model change
  shown: {}, // technique -> key of the result that it shows
  pressed: {}, // button -> when a script last pressed it, ms
  pressedFor: {}, // button -> the key that it was pressed for
  begun: {}, // technique -> key that its latest run was begun with
  unasked: {}, // button -> true while a script, not the visitor, has pressed it
  asked: {}, // technique -> true where a link named it: that is a visitor's wish
  built: {}, // technique -> true once its tab has been asked for
  views: {}, // technique -> its options as they were last on screen
  besides: {}, // technique -> what stands beside its view
  fresh: {}, // technique -> true from a run's beginning until there is something to see of it
  mine: false, // whether the page holds a recording, words or times of the visitor's: another loading would lose them
  written: false, // whether the visitor has written a transcript that is not aligned yet
  base: "", // the Space's address, empty elsewhere

  write() {
    if (!this.ready) return [];
    const url = new URL(window.location.href);
    const kept = [...url.searchParams].filter(([name]) => name.startsWith("__"));
    url.search = "";
    const all = { ...this.shared, ...this.options, beside: this.besides[this.shared.technique] };
    for (const [name, value] of kept) url.searchParams.set(name, value);
    for (const [name, value] of Object.entries(all))
      if (value !== null && value !== undefined && value !== "") url.searchParams.set(name, String(value));
    window.history.replaceState(window.history.state, "", url);
    // On a Space the app sits in a frame of the Hub's page: ask that page to show the same address.
    if (window.parent !== window && document.referrer.startsWith("https://huggingface.co"))
      window.parent.postMessage({ queryString: this.clean(url).search, hash: url.hash }, "https://huggingface.co");
    return [];
  },

  clean(url) { // never share __sign: it opens a private Space
    const copy = new URL(url);
    for (const name of [...copy.searchParams.keys()]) if (name.startsWith("__") || name === "view") copy.searchParams.delete(name);
    return copy;
  },

  share(values) { Object.assign(this.shared, values); return this.write(); },

  option(technique, values) { // other tabs' controls change too; only the one on screen belongs in the address
    this.views[technique] = values;
    if (technique !== this.shared.technique) return [];
    this.options = { ...values };
    return this.write();
  },

  setBeside(technique, partner) {
    this.besides[technique] = partner || "";
    return this.write();
  },

  besideAgain(technique) { // the first result has changed: both are drawn again on one scale
    if (this.besides[technique]) document.getElementById("beside-again-" + technique)?.click();
    return [];
  },

  besideSoon(technique) {
    const fresh = this.fresh[technique];
    this.fresh[technique] = false;
    return fresh ? this.besideAgain(technique) : [];
  },

  number(technique, option, value) { return value ?? this.views[technique]?.[option] ?? value; },

  go(technique) { // a view is an entry of the browser's history; "" is the start page
    if (!this.ready || technique === this.shared.technique) return this.drawer(false);
    window.history.pushState(null, "", window.location.href);
    this.lesson("", "");
    return this.open(technique);
  },

  open(technique) {
    this.makeWay(technique);
    if (technique !== this.shared.technique) this.options = { ...this.views[technique] };
    this.shared.technique = technique;
    this.write();
    this.show(technique);
    if (technique) this.build(technique);
    return this.refresh();
  },

  back() { // the address has changed: show what it says, by itself where this page holds it, else by loading it
    const asked = Object.fromEntries(new URL(window.location.href).searchParams), technique = asked.technique || "";
    const same = ["clip", "model", "units", "spectrogram"].every((name) => (asked[name] ?? "") === String(this.shared[name] ?? ""));
    const held = { ...(this.views[technique] || (this.asked[technique] ? this.options : {})), beside: this.besides[technique] || "" };
    const { clip, model, units, spectrogram, technique: _, from = "", to = "", ...options } = asked;
    const told = Object.entries(options).filter(([name]) => !name.startsWith("__") && name !== "lesson" && name !== "note");
    if (!this.mine && !this.written && !(same && told.every(([name, value]) => String(held[name]) === value))) return window.location.reload();
    this.lesson(options.lesson ?? "", options.note ?? "");
    this.open(technique);
    if (same) this.stretch(from, to);
  },

  show(technique) { // one view at a time: a rule of style, which nothing that Gradio draws again can undo
    const shown = document.getElementById("shown-view") || document.head.appendChild(Object.assign(document.createElement("style"), { id: "shown-view" }));
    shown.textContent = `#main #view-${technique || "start"} { display: flex !important; }`;
    document.documentElement.dataset.view = technique || "start";
    for (const item of document.querySelectorAll("[data-view].toc-item")) {
      if (item.dataset.view === technique) item.setAttribute("aria-current", "page"); else item.removeAttribute("aria-current");
      if (item.dataset.view === technique) document.title = (technique ? item.textContent + " · " : "") + "Inside Speech Models";
    }
    this.drawer(false);
    window.scrollTo(0, 0);
  },

  lesson(number, note) { // what a link opens with, above its view: a question of ours, a note of a lecturer
    Object.assign(this.shared, { lesson: number, note });
    for (const each of document.querySelectorAll(".lesson")) each.classList.toggle("open", each.id === "lesson-" + number);
    window.lessonMarks?.look();
    const told = document.getElementById("note");
    if (told) { told.hidden = !note; told.lastChild.textContent = note; }
  },

  told(technique) { this.toldLong(technique); return this.besideSoon(technique); }, // the line about a run has changed

  toldLong(technique) { // on a phone three lines of what a run was stand above its picture, of each of a pair two, the rest behind a button
    const few = window.innerWidth < 900 ? 3 : 2; // beside a second side
    for (const line of document.querySelectorAll(`#status-${technique}, #beside-told-${technique}`)) {
      const text = () => line.querySelector("p");
      requestAnimationFrame(() => setTimeout(() => line.classList.toggle("long", Boolean(text() && text().scrollHeight > (few + 1) * parseFloat(getComputedStyle(text()).lineHeight) - 2))));
    }
  },

  goTo(place) { // with the focus, so that the Tab key goes on from there
    const found = document.querySelector(place);
    if (!found) return;
    found.setAttribute("tabindex", "-1");
    found.focus({ preventScroll: true });
    found.scrollIntoView({ block: "start" });
  },

  drawer(open) { // on a phone the side is a drawer
    document.documentElement.classList.toggle("drawer-open", open);
    document.getElementById("drawer")?.setAttribute("aria-expanded", String(open));
    return [];
  },

  stretch(from, to) { window.speechStretches?.ask(from, to); }, // of the clip, in seconds; both empty: all of it

  seen: 0, // timer: an address that changes with every step of a wheel is refused by browsers
  stretched({ from, to }) { // what the plots show now; no link can name a visitor's own recording, nor a part of it
    clearTimeout(this.seen);
    this.seen = setTimeout(() => this.share(this.shared.clip ? { from, to } : { from: "", to: "" }), 300);
  },

  find(text) { // in titles, questions and names; groups without a hit are not shown
    const words = text.toLowerCase().split(/\s+/).filter(Boolean);
    let found = 0;
    for (const item of document.querySelectorAll("#contents .toc-item")) {
      const named = item.dataset.view + " " + item.dataset.view.replaceAll("_", " "); // as links and notebooks call it
      const said = (item.textContent + " " + item.title + " " + named).toLowerCase();
      item.hidden = !words.every((word) => said.includes(word));
      found += !item.hidden;
    }
    for (const group of document.querySelectorAll("#contents details")) group.hidden = !group.querySelector(".toc-item:not([hidden])");
    const none = document.querySelector("#contents .toc-none");
    if (none) none.hidden = found > 0;
    const narrow = document.documentElement.classList.contains("drawer-open"); // a phone's keyboard would cover what is found
    if (narrow) document.getElementById("find").scrollIntoView({ block: "start" });
  },

  help(technique) { // the reading help opens by itself for who has never seen one
    try {
      if (localStorage.getItem("ism-helped")) return;
      localStorage.setItem("ism-helped", "yes");
    } catch (refused) { return; } // a frame without storage
    const button = document.querySelector(`#view-${technique} .help button.label-wrap`);
    if (button && !button.classList.contains("open")) button.click();
  },

  makeWay(technique) { // one machine computes for everybody: a run that nobody looks at any more makes way
    const before = this.shared.technique;
    if (before && before !== technique) this.stop(before);
  },

  stop(technique) { // once: two cancels of one run get into each other's way
    const id = "stop-" + technique, now = performance.now();
    if (now - (this.pressed[id] ?? -Infinity) < 400) return;
    this.pressed[id] = now;
    document.getElementById(id)?.click();
  },

  build(technique) { // a tab's content is made by the server when it is first opened
    if (this.built[technique]) return;
    this.built[technique] = true;
    this.press("build-" + technique, 600);
  },

  refresh() { // run the technique on screen unless its result is of this very clip, model and cut
    const technique = this.shared.technique;
    if (!this.ready || !technique || !this.key || this.shown[technique] === this.key) return [];
    const run = document.getElementById("run-" + technique);
    if (run && run.disabled && this.begun[technique] !== this.key) this.stop(technique); // it answers an older question
    this.press("run-" + technique, 600, !this.asked[technique]); // a minute: a busy machine mounts slowly
    return [];
  },

  wasUnasked(technique) { // whether a script has pressed Run; the next press may be the visitor's
    const was = this.unasked["run-" + technique] === true;
    this.unasked["run-" + technique] = false;
    return was;
  },

  again(technique) { // a control that needs another run was changed: what runs now makes way
    const run = document.getElementById("run-" + technique);
    if (run && run.disabled) this.stop(technique);
    this.press("run-" + technique, 600);
    return [];
  },

  press(id, tries, unasked = false) { // tab bodies are mounted when first opened: wait for the button
    const button = document.getElementById(id), now = performance.now();
    // A drop-down says "input" twice for one choice; another clip within that time is no repetition.
    if (now - (this.pressed[id] ?? -Infinity) < 400 && this.pressedFor[id] === this.key) return;
    if (button && !button.disabled) { this.pressed[id] = now; this.pressedFor[id] = this.key; this.unasked[id] = unasked; button.click(); }
    else if (tries) setTimeout(() => this.press(id, tries - 1, unasked), 100);
  },

  listens(so) { document.documentElement.classList.toggle("listening", so); return []; }, // what is seen is of the clip or model before

  listened(key, mine) { this.key = key || ""; this.mine = mine; this.listens(false); return this.refresh(); },

  taken() { this.written = false; return this.answered(); },

  atStake(question) { // what a visitor has made is not replaced without asking
    if (!question) { this.press("align-now", 20); return []; }
    document.documentElement.classList.add("align-asked");
    requestAnimationFrame(() => document.getElementById("align-keep")?.focus());
    return [];
  },

  answered() { document.documentElement.classList.remove("align-asked"); return []; },

  spelled(heard, text) { return this.written ? text : heard; }, // what a visitor is writing is never overwritten

  begins(technique) { this.begun[technique] = this.key; this.fresh[technique] = true; },

  done(technique) { // what it shows is of the clip that it was begun with, which may not be there any more
    this.shown[technique] = this.begun[technique];
    this.help(technique);
    this.besideAgain(technique);
    return technique === this.shared.technique ? this.refresh() : [];
  },

  opened(shared, options, base) { // the server has read the link and chosen clip and model
    Object.assign(this.shared, shared);
    const { beside, ...others } = options;
    this.besides[shared.technique] = beside || "";
    this.options = others;
    this.base = base;
    this.ready = true;
    this.lesson(shared.lesson, shared.note);
    document.documentElement.classList.toggle("embed", shared.embed === "1");
    this.stretch(shared.from, shared.to);
    if (shared.technique) { this.asked[shared.technique] = true; this.build(shared.technique); }
    this.show(shared.technique);
    return [];
  },

  async embed(told) { // HTML for a slide: this view without what stands around it, from this very address
    const url = this.clean(window.location.href);
    url.searchParams.set("embed", "1");
    const frame = Object.assign(document.createElement("iframe"), { src: url.href, width: "100%", height: "640", title: document.title });
    try { await navigator.clipboard.writeText(frame.outerHTML); told.textContent = "Copied: " + frame.outerHTML; }
    catch (refused) { told.textContent = frame.outerHTML; }
  },

  async copy() {
    const url = this.clean(window.location.href);
    const link = (this.base || url.origin + url.pathname) + url.search;
    try { await navigator.clipboard.writeText(link); return "Link copied: " + link; }
    catch (refused) { return "Copy this link: " + link; } // a frame without clipboard permission
  },

  save(file) {
    if (!file || !file.data) return [];
    const bytes = Uint8Array.from(atob(file.data), (letter) => letter.charCodeAt(0));
    const address = URL.createObjectURL(new Blob([bytes], { type: file.mime }));
    const anchor = Object.assign(document.createElement("a"), { href: address, download: file.name });
    document.body.append(anchor);
    anchor.click();
    anchor.remove();
    setTimeout(() => URL.revokeObjectURL(address), 10_000);
    return [];
  },
};

// Gradio's own event of a text box comes with keys only: a text that is pasted or dictated counts too.
document.addEventListener("input", (event) => { if (event.target.closest("#text")) window.ism.written = true; });

document.addEventListener("stretch", (event) => window.ism.stretched(event.detail));

window.addEventListener("popstate", () => window.ism.back());

document.addEventListener("click", (event) => {
  const item = event.target.closest("[data-view]"), more = event.target.closest("[data-more]");
  const link = event.target.closest('a[href^="?"]:not([data-view])'), plain = !(event.ctrlKey || event.metaKey || event.shiftKey || event.button);
  if (link && plain) { // Gradio would open another browser tab
    event.preventDefault();
    const asked = new URLSearchParams(link.getAttribute("href"));
    if ([...asked.keys()].join() === "technique") window.ism.go(asked.get("technique")); else window.location.assign(link.getAttribute("href"));
    return;
  }
  if (item && item.matches("a") && plain) {
    event.preventDefault();
    window.ism.go(item.dataset.view);
  } else if (more) { // what is folded on a small screen
    const open = more.getAttribute("aria-expanded") !== "true";
    more.setAttribute("aria-expanded", String(open));
    document.documentElement.classList.toggle(`open-${more.dataset.more}`, open);
  } else if (event.target.closest("[data-whole]")) {
    const button = event.target.closest("[data-whole]"), whole = button.getAttribute("aria-expanded") !== "true";
    button.closest(".sides").querySelectorAll(".status").forEach((line) => line.classList.toggle("whole", whole));
    button.setAttribute("aria-expanded", String(whole));
  } else if (event.target.closest("[data-to]")) {
    window.ism.goTo(event.target.closest("[data-to]").dataset.to);
  } else if (event.target.closest(".embed-copy")) {
    window.ism.embed(event.target.closest(".lecture").querySelector("output"));
  } else if (event.target.closest("#drawer")) window.ism.drawer(!document.documentElement.classList.contains("drawer-open"));
  else if (!event.target.closest("#side, .options, [role=listbox], [role=option]") && document.documentElement.classList.contains("drawer-open")) window.ism.drawer(false);
});
document.addEventListener("keydown", (event) => { if (event.key === "Escape") window.ism.drawer(false); });
document.addEventListener("input", (event) => {
  if (event.target.id === "find") window.ism.find(event.target.value);
  if (event.target.matches(".link-note")) window.ism.share({ note: event.target.value });
});

// Before the server has answered, the link says which view there will be.
document.documentElement.dataset.view = new URL(window.location.href).searchParams.get("technique") || "start";
