// The page's one player

function makePlayer() {
  const audio = new Audio();
  audio.preload = "auto";
  const listeners = new Set();
  const others = {};   // clip -> its sound's address: of a plot that is beside the page's own clip
  let loaded = null;   // the clip whose sound the element holds now
  let region = null;   // [start, end] in seconds: what the last play() was asked for, shaded in every plot
  let frame = 0, looping = false;

  const tell = () => { for (const listener of [...listeners]) listener(audio.currentTime, !audio.paused); };
  function stopAtEnd() {
    if (!region || audio.paused) return;
    if (looping && (audio.currentTime >= region[1] || audio.currentTime < region[0] - 0.05)) audio.currentTime = region[0];   // round, or round the end of the file
    if (audio.currentTime < region[1]) return;
    audio.pause();
    audio.currentTime = region[1];   // the pause lands up to one frame late; the cursor should stand on the boundary
  }
  function tick() {
    stopAtEnd();
    tell();
    frame = audio.paused ? 0 : requestAnimationFrame(tick);
  }
  audio.addEventListener("play", () => { cancelAnimationFrame(frame); frame = requestAnimationFrame(tick); });
  audio.addEventListener("timeupdate", stopAtEnd);   // a background tab gets no animation frames
  for (const name of ["pause", "seeked", "ended"]) audio.addEventListener(name, tell);

  return {
    audio, url: "", seconds: 0, clip: null,
    get region() { return region; },
    get loaded() { return loaded; },
    has(clip) { return clip === undefined || this.clip === null || clip === this.clip || clip in others; },
    /** Another clip's sound: played by the plots that name it, in turn with the page's own. */
    add(url, clip) { others[clip] = url; },
    /** Let the element hold a clip's sound, the page's own where none is named. */
    load(clip) {
      const wanted = clip !== undefined && clip in others && clip !== this.clip ? clip : this.clip;
      if (wanted === loaded) return;
      this.pause();
      region = null;
      loaded = wanted;
      audio.src = wanted === this.clip ? this.url : others[wanted];
    },
    get loop() { return looping; },
    set loop(on) { looping = audio.loop = on; tell(); },
    get slow() { return audio.playbackRate < 1; },
    set slow(on) { audio.preservesPitch = true; audio.defaultPlaybackRate = audio.playbackRate = on ? 0.5 : 1; tell(); },   // the default outlives another source
    get subscribers() { return listeners.size; },
    setSource(url, seconds, clip = null) {
      this.seconds = seconds;
      if (loaded === this.clip) loaded = clip;
      this.clip = clip;
      if (url !== this.url) {
        this.pause();
        region = null;
        this.url = url;
        loaded = clip;
        if (url) audio.src = url; else audio.removeAttribute("src");
      }
      tell();
    },
    play(start, end = null, clip = undefined) {
      if (!this.url) return;
      this.load(clip);
      region = end === null ? null : [start, end];
      audio.currentTime = start;
      audio.play().catch(() => {});   // refused without a user's action, or overtaken by a newer source
      tell();
    },
    pause() { audio.pause(); },
    toggle(clip = undefined, seconds = this.seconds) {
      if (!audio.paused) return this.pause();
      this.load(clip);
      const end = region ? Math.min(region[1], seconds) : seconds;
      const finished = audio.currentTime >= end - 0.01;
      return this.play(finished ? (region ? region[0] : 0) : audio.currentTime, region && region[1], clip);
    },
    select(start, end) { region = [start, end]; if (audio.paused) audio.currentTime = start; tell(); },
    clearRegion() { region = null; tell(); },
    subscribe(listener) { listeners.add(listener); return () => listeners.delete(listener); },
  };
}
const player = (window.speechPlayer ||= makePlayer());
