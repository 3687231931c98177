// What the widgets share; Python puts it in front of each one's own module.

const BLUE = "#0072B2", ORANGE = "#E69F00", GREEN = "#009E73", PURPLE = "#AA4499", RED = "#D55E00", SKY = "#56B4E9";
const COLOURS = [SKY, ORANGE, GREEN, PURPLE, RED, BLUE];
const NOTES = ["C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B"];

const midi = (hz) => 69 + 12 * Math.log2(hz / 440);
const hertz = (note) => 440 * 2 ** ((note - 69) / 12);
const noteName = (note) => NOTES[((note % 12) + 12) % 12] + (Math.floor(note / 12) - 1);
const clamp = (value, least, most) => Math.min(Math.max(value, least), most);
const floats = (view) => new Float32Array(view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength));
const octets = (view) => new Uint8Array(view.buffer, view.byteOffset, view.byteLength);

/** An element; properties that are functions become listeners, names with a dash become attributes. */
function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (name in element && !name.includes("-")) element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

const button = (label, title, click) => make("button", { type: "button", title, "aria-label": title,
  click: (event) => event.currentTarget.getAttribute("aria-disabled") !== "true" && click(event) }, label);
/** A button that can not be pressed now keeps the focus, else the next key would be the notebook's. */
const able = (button, can) => button.setAttribute("aria-disabled", !can);
const group = (label, ...children) => make("span", { className: "svcnb-group", role: "group", "aria-label": label }, ...children);

/** Keys and what they do, one after the other. */
const keysHelp = (keys) => keys.flatMap(([key, what], i) => [i ? " · " : "", make("kbd", {}, key), ` ${what}`]);

/** The widget's element, made ready: its keys are its own, not the notebook's. */
function stage(el, label) {
  el.classList.add("svcnb");
  el.setAttribute("role", "group");
  el.setAttribute("aria-label", label);
  el.setAttribute("data-lm-suppress-shortcuts", "true"); // JupyterLab listens before anybody else
  const keep = (event) => event.stopPropagation();
  el.addEventListener("keydown", keep);
  return () => el.removeEventListener("keydown", keep);
}

/** What is said is shown, and read aloud by screen readers; once, however many events come with one message. */
function speaker(model) {
  const said = make("div", { className: "svcnb-said", role: "status", "aria-live": "polite" });
  let next;
  const say = (text) => {
    if (next === undefined) queueMicrotask(() => { said.textContent = next; next = undefined; });
    next = text;
  };
  const hear = () => say(model.get("said"));
  model.on("change:said", hear);
  hear();
  return { said, say, quiet: () => model.off("change:said", hear) };
}

/** Colours of the page as it is now: ink, ground, and whether it is dark. */
function colours(el) {
  const style = getComputedStyle(el);
  const [r, g, b] = (style.backgroundColor.match(/[\d.]+/g) ?? [255, 255, 255]).map(Number);
  return { ink: style.color, ground: style.backgroundColor, dark: 0.3 * r + 0.6 * g + 0.1 * b < 128 };
}

/** Calls `draw` when the size or the theme changes; returns how to stop. */
function watch(el, draw) {
  const size = new ResizeObserver(draw), theme = new MutationObserver(draw);
  size.observe(el);
  for (const node of [document.documentElement, document.body]) theme.observe(node, { attributes: true });
  return () => { size.disconnect(); theme.disconnect(); };
}

/** A function that draws with the screen's next picture; once, however often it is called before. */
function onceAFrame(paint) {
  let waiting = 0;
  return () => { waiting ||= requestAnimationFrame(() => { waiting = 0; paint(); }); };
}

/** A canvas's context in CSS pixels, cleared, as wide as the page lets it be. */
function sheet(canvas, height) {
  const scale = window.devicePixelRatio || 1, width = canvas.clientWidth || 600;
  canvas.style.height = `${height}px`;
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  const context = canvas.getContext("2d");
  context.setTransform(scale, 0, 0, scale, 0, 0);
  return { context, width, height };
}

/** Levels 0 to 255, row 0 on top, as a picture in one ink: the louder, the denser. */
function picture(levels, rows, columns, ink) {
  const canvas = make("canvas", { width: columns, height: rows });
  const context = canvas.getContext("2d"), image = context.createImageData(columns, rows);
  const [r, g, b] = ink.match(/[\d.]+/g).map(Number);
  for (let i = 0, at = 0; i < rows * columns; i++) {
    image.data[at++] = r;
    image.data[at++] = g;
    image.data[at++] = b;
    image.data[at++] = 0.65 * levels[i];
  }
  context.putImageData(image, 0, 0);
  return canvas;
}

/** Seconds below a canvas, at a step that leaves room for the numbers. */
function secondsAxis(context, { left, right, bottom, from, to, ink }) {
  const step = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300].find((s) => ((right - left) * s) / (to - from) > 55) ?? 600;
  context.fillStyle = ink;
  context.textAlign = "center";
  context.textBaseline = "top";
  for (let s = Math.ceil(from / step - 1e-9); s * step <= to + 1e-9; s++) {
    const x = left + ((s * step - from) / (to - from)) * (right - left);
    context.fillRect(x, bottom, 1, 4);
    context.fillText(`${+(s * step).toFixed(1)} s`, clamp(x, left + 10, right - 14), bottom + 5);
  }
}

/** Hertz at the right edge of a picture whose rows go up by ratio. */
function hertzAxis(context, { right, top, bottom, bounds: [low, high], look }) {
  Object.assign(context, { font: "11px system-ui, sans-serif", textAlign: "right", textBaseline: "middle" });
  Object.assign(context, { strokeStyle: look.ground, fillStyle: look.ink, lineWidth: 3 });
  for (const hz of [200, 1000, 5000]) {
    const text = hz < 1000 ? `${hz} Hz` : `${hz / 1000} kHz`, y = top + (Math.log(high / hz) / Math.log(high / low)) * (bottom - top);
    if (y < top) continue;
    context.strokeText(text, right - 5, y);
    context.fillText(text, right - 5, y);
  }
}

/** One clock on which sounds play together; `gains` says how loud each is. */
class Player {
  constructor(tell, draw = () => {}) {
    this.tell = tell; // called when it starts and stops
    this.draw = draw; // called for every picture of the screen while it plays
    this.offset = 0;
  }
  get seconds() {
    return this.started === undefined ? this.offset : this.offset + Math.max(0, this.context.currentTime - this.started);
  }
  get playing() {
    return this.started !== undefined;
  }
  open() {
    this.context ??= new AudioContext();
    return this.context;
  }
  /** Sound files of traits, decoded. */
  load(views) {
    const copy = (view) => view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength);
    return Promise.all(views.map((view) => this.open().decodeAudioData(copy(view))));
  }
  async play(buffers, gains, from, extra = () => []) {
    await this.open().resume();
    this.stop(); // after waiting: it may have been asked twice
    const when = this.context.currentTime + 0.05;
    this.gains = gains.map((gain) => new GainNode(this.context, { gain }));
    this.nodes = buffers.map((buffer, i) => {
      const node = new AudioBufferSourceNode(this.context, { buffer });
      node.connect(this.gains[i]).connect(this.context.destination);
      node.start(when, from);
      return node;
    });
    this.nodes.push(...extra(this.context, when));
    const longest = this.nodes.reduce((a, b) => ((b.buffer?.duration ?? 0) > (a.buffer?.duration ?? 0) ? b : a));
    longest.onended = () => this.playing && this.nodes?.includes(longest) && this.stop(true);
    [this.offset, this.started] = [from, when];
    this.tell();
    this.tick();
  }
  tick() {
    this.draw();
    this.ticking = requestAnimationFrame(() => this.tick());
  }
  /** Fade to other gains in 15 ms, while everything goes on. */
  fade(gains) {
    const now = this.context?.currentTime;
    this.gains?.forEach((node, i) => {
      node.gain.cancelScheduledValues(now);
      node.gain.setValueAtTime(node.gain.value, now);
      node.gain.linearRampToValueAtTime(gains[i], now + 0.015);
    });
  }
  stop(rewind = false) {
    if (!this.playing) return;
    this.offset = rewind ? 0 : this.seconds;
    this.started = undefined;
    cancelAnimationFrame(this.ticking);
    for (const node of this.nodes) node.stop();
    this.nodes = this.gains = undefined;
    this.tell();
  }
  close() {
    this.stop();
    this.context?.close();
  }
}

/** A curve in Hz, `rate` values a second, as a soft tone; silent where it is 0. */
function hum(curve, rate, duration) {
  const sampleRate = 22050, sound = new AudioBuffer({ length: Math.max(1, Math.round(duration * sampleRate)), sampleRate });
  const samples = sound.getChannelData(0);
  let phase = 0, level = 0;
  for (let i = 0; i < samples.length; i++) {
    const hz = curve[Math.min(curve.length - 1, Math.floor((i / sampleRate) * rate))];
    level += ((hz > 0 ? 0.15 : 0) - level) * 0.005; // a fade instead of a click
    if (hz > 0) phase += (2 * Math.PI * hz) / sampleRate;
    samples[i] = level * (Math.sin(phase) + 0.3 * Math.sin(2 * phase) + 0.1 * Math.sin(3 * phase));
  }
  return sound;
}
