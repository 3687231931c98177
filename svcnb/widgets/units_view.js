// UnitsView: a plane of points; the nearest one to the pointer is marked and its moment is heard.

const TALL = 420, EDGE = 14, NEAR = 24, GRAIN = 0.16; // pixels, pixels, pixels, seconds
const SHAPES = ["circle", "square", "triangle", "diamond"];

class UnitsView {
  constructor(model, el) {
    Object.assign(this, { model, el });
    this.player = new Player(() => {});
    this.points = floats(model.get("points"));
    this.seconds = floats(model.get("seconds"));
    this.group = octets(model.get("group"));
    this.frames = this.seconds.length;
    this.build();
    const leave = stage(el, "Units of a song"), unwatch = watch(el, () => this.refresh());
    const moved = () => { this.locate(); this.refresh(); };
    model.on("change:chosen change:said", moved);
    moved();
    this.remove = () => {
      model.off("change:chosen change:said", moved);
      for (const end of [leave, unwatch, this.voice.quiet]) end();
      this.player.close();
    };
  }

  get chosen() { return this.model.get("chosen"); }

  locate() {
    this.canvas.setAttribute("aria-valuenow", Math.max(this.chosen, 0));
    this.canvas.setAttribute("aria-valuetext", this.model.get("said") || "no frame yet");
  }

  // ---- what is on the page

  build() {
    this.sounding = button("♪ Sound on", "Sound on: hear the points that you move over (space)", () => this.listen(!this.on));
    this.sounding.setAttribute("aria-pressed", false);
    this.canvas = make("canvas", { tabIndex: 0, role: "slider", "aria-label": "Frame of the song", "aria-valuemin": 0,
      "aria-valuemax": this.frames - 1, keydown: (event) => this.keydown(event),
      pointermove: (event) => this.point(event), pointerdown: (event) => { this.listen(true); this.point(event, true); } });
    this.key = make("div", { className: "svcnb-bar" });
    this.voice = speaker(this.model);
    // A slider that has the focus is read when it moves; what it says is not to be heard twice.
    this.canvas.onfocus = () => this.voice.said.setAttribute("aria-live", "off");
    this.canvas.onblur = () => this.voice.said.setAttribute("aria-live", "polite");
    this.el.append(make("div", { className: "svcnb-bar" }, this.sounding), this.canvas, this.key, this.voice.said,
      make("details", {}, make("summary", {}, "Keys"), ...keysHelp([["← →", "the frame before, after"],
        ["↑ ↓", "the next of the same group"], ["space", "hear it again"]])));
    this.canvas.units = this;
  }

  /** Browsers let a page sound only after a click or a key. */
  async listen(on) {
    this.on = on;
    this.sounding.setAttribute("aria-pressed", on);
    if (!on) return;
    this.buffer ??= this.player.load([this.model.get("sound")]).then(([buffer]) => buffer);
    await this.player.open().resume();
  }

  // ---- choosing and hearing

  choose(frame, again = false) {
    if (frame === this.chosen && !again) return;
    this.model.send({ do: "choose", frame });
    if (this.on) this.sing(frame);
  }

  async sing(frame) {
    const buffer = await this.buffer, context = this.player.open(), now = context.currentTime + 0.01;
    this.grain?.stop();
    const gain = new GainNode(context, { gain: 0 });
    this.grain = new AudioBufferSourceNode(context, { buffer });
    this.grain.connect(gain).connect(context.destination);
    gain.gain.setValueAtTime(0, now);
    gain.gain.linearRampToValueAtTime(1, now + GRAIN / 4);
    gain.gain.linearRampToValueAtTime(0, now + GRAIN);
    this.grain.start(now, clamp(this.seconds[frame] - GRAIN / 2, 0, buffer.duration), GRAIN);
    this.heard = (this.heard ?? 0) + 1;
  }

  place(frame) {
    const { width } = this.canvas.getBoundingClientRect();
    return [EDGE + this.points[2 * frame] * (width - 2 * EDGE), TALL - EDGE - this.points[2 * frame + 1] * (TALL - 2 * EDGE)];
  }

  point(event, again = false) {
    const box = this.canvas.getBoundingClientRect(), x = event.clientX - box.left, y = event.clientY - box.top;
    let best = -1, least = NEAR ** 2;
    for (let i = 0; i < this.frames; i++) {
      const [px, py] = this.place(i), far = (px - x) ** 2 + (py - y) ** 2;
      if (far < least) [best, least] = [i, far];
    }
    if (best >= 0) this.choose(best, again);
  }

  keydown(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key], jump = { ArrowUp: 1, ArrowDown: -1 }[event.key];
    if (step) this.listen(true).then(() => this.choose(clamp(this.chosen + step, 0, this.frames - 1)));
    else if (jump) this.listen(true).then(() => this.choose(this.next(jump)));
    else if (event.key === " " && this.chosen >= 0) this.listen(true).then(() => this.choose(this.chosen, true));
    else return;
    event.preventDefault();
  }

  /** The next frame of the same group, round the song. */
  next(step) {
    const from = Math.max(this.chosen, 0);
    for (let i = from + step; i !== from; i += step) {
      const frame = (i + this.frames) % this.frames;
      if (frame === from) break;
      if (this.group[frame] === this.group[from]) return frame;
    }
    return from;
  }

  // ---- drawing

  refresh = onceAFrame(() => this.paint());

  paint() {
    const { context } = sheet(this.canvas, TALL), look = colours(this.el), groups = this.model.get("groups");
    context.globalAlpha = 0.75;
    for (let i = 0; i < this.frames; i++) dot(context, ...this.place(i), 4, this.group[i]);
    context.globalAlpha = 1;
    if (this.chosen >= 0) {
      context.strokeStyle = look.ink;
      context.lineWidth = 2;
      context.beginPath();
      context.arc(...this.place(this.chosen), 9, 0, 7);
      context.stroke();
    }
    if (this.key.children.length === groups.length) return;
    this.key.replaceChildren(...groups.map((name, i) => {
      const sample = make("canvas", { width: 14, height: 14, "aria-hidden": "true" });
      sample.style.cssText = "display:inline-block;width:14px;height:14px;vertical-align:-2px;margin-right:4px";
      dot(sample.getContext("2d"), 7, 7, 5, i);
      return make("span", {}, sample, name);
    }));
  }
}

/** A point of a group: neighbours differ in colour and in shape, and no two of 24 groups are alike in both. */
function dot(context, x, y, r, group) {
  context.fillStyle = COLOURS[group % COLOURS.length];
  const shape = SHAPES[(group + Math.floor(group / 12)) % SHAPES.length];
  context.beginPath();
  if (shape === "circle") context.arc(x, y, r, 0, 7);
  else if (shape === "square") context.rect(x - r * 0.9, y - r * 0.9, 1.8 * r, 1.8 * r);
  else if (shape === "triangle") [[0, -1.2], [1.1, 0.9], [-1.1, 0.9]].forEach(([a, b]) => context.lineTo(x + a * r, y + b * r));
  else [[0, -1.3], [1.3, 0], [0, 1.3], [-1.3, 0]].forEach(([a, b]) => context.lineTo(x + a * r, y + b * r));
  context.fill();
}

export default {
  render({ model, el }) {
    const view = new UnitsView(model, el);
    return () => view.remove();
  },
};
