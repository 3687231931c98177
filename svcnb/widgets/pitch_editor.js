// PitchEditor: draws the melody over the spectrogram and tells Python what the person wants done to it.

const EDGE = { left: 62, right: 8, top: 6, bottom: 24, height: 340 };
const NEAR = 10; // pixels from the curve at which it can be grabbed; a finger is twice as thick
const ALL = { song: [1, 0], curve: [0, 1], both: [0.6, 1] }; // gains of the song and of the tone

class PitchEditor {
  constructor(model, el) {
    Object.assign(this, { model, el, cursor: 0, selection: null, tool: "point", drag: null, preview: null });
    this.hz = floats(model.get("hz"));
    this.rate = model.get("frame_rate");
    this.duration = this.hz.length / this.rate;
    [this.from, this.to] = [0, Math.min(this.duration, 12)];
    this.build();
    this.canvas.editor = this;
    this.player = new Player(() => this.played(), () => this.follow());
    this.fit();
    this.look(0);
    const renew = () => { this.hz = floats(model.get("hz")); this.preview = null; this.fit(); this.refresh(); this.voice.say(model.get("said")); };
    const can = () => { able(this.undo, model.get("can").undo); able(this.redo, model.get("can").redo); };
    model.on("change:hz", renew);
    model.on("change:can", can);
    can();
    const leave = stage(el, "Pitch editor"), unwatch = watch(el, () => this.refresh());
    this.remove = () => {
      model.off("change:hz", renew);
      model.off("change:can", can);
      for (const end of [leave, unwatch, this.voice.quiet]) end();
      this.player.close();
    };
  }

  // ---- what is on the page

  build() {
    const choice = (label, names, value) =>
      make("select", { "aria-label": label, title: label }, ...names.map((n) => make("option", { selected: n === value }, n)));
    const number = (label, value, min, max, step) =>
      make("input", { type: "number", "aria-label": label, title: label, value, min, max, step });
    const act = (label, title, change, how = () => ({})) => button(label, title, () => this.edit(change, how()));
    this.key = choice("Key of the scale", this.model.get("tonics"), "C");
    this.mode = choice("Mode of the scale", this.model.get("modes"), "major");
    this.vibratoRate = number("Rate of the vibrato in Hz", 5.5, 1, 12, 0.5);
    this.depth = number("Depth of the vibrato in cents", 50, 5, 300, 5);
    this.heard = choice("What is played", Object.keys(ALL), "song");
    this.heard.onchange = () => this.player.fade(ALL[this.heard.value]);
    this.playing = button("▶ Play", "Play from the cursor (space)", () => this.toggle());
    this.undo = button("↶ Undo", "Undo (Ctrl+Z)", () => this.model.send({ do: "undo" }));
    this.redo = button("↷ Redo", "Redo (Ctrl+Shift+Z)", () => this.model.send({ do: "redo" }));
    this.tools = ["point", "draw"].map((tool) => {
      const title = tool === "point" ? "Select by dragging; drag the curve itself to move it" : "Draw the curve by hand";
      return make("button", { type: "button", title, "aria-pressed": tool === this.tool, click: () => this.take(tool) },
        tool === "point" ? "Select and drag" : "Draw");
    });
    this.bars = [
      make("div", { className: "svcnb-bar" },
        group("Sound", this.playing, this.heard), group("Tool", ...this.tools), group("History", this.undo, this.redo),
        group("View", "Zoom", button("−", "Zoom out (−)", () => this.zoom(1.6)), button("+", "Zoom in (+)", () => this.zoom(1 / 1.6)))),
      make("div", { className: "svcnb-bar" },
        group("Shift", "Semitone", act("▼", "Down by a semitone (arrow down)", "shift", () => ({ semitones: -1 })),
          act("▲", "Up by a semitone (arrow up)", "shift", () => ({ semitones: 1 }))),
        act("Smooth", "Smooth the curve (S)", "smooth"),
        group("Scale", "Scale", this.key, this.mode, act("Tune", "Tune: move notes onto the scale (Q)", "to_scale", () => this.scale())),
        group("Vibrato", "Vibrato", this.vibratoRate, "Hz", this.depth, "cents",
          act("Add", "Add vibrato (B)", "vibrato", () => this.swing()), act("Flatten", "Flatten: take vibrato away (F)", "flatten")),
        group("Voicing", act("Voice", "Voice: fill gaps (V)", "voice"), act("Unvoice", "Unvoice: take the pitch away (Delete)", "unvoice"))),
    ];
    this.canvas = make("canvas", { tabIndex: 0, role: "application", "aria-roledescription": "pitch curve" });
    this.canvas.setAttribute("aria-label", "Pitch over the spectrogram. Left and right move the cursor, with shift they select; "
      + "up and down shift by a semitone; space plays.");
    this.scroll = make("input", { type: "range", min: 0, max: 1000, value: 0, "aria-label": "Scroll through the song" });
    this.scroll.oninput = () => this.look((this.scroll.value / 1000) * (this.duration - (this.to - this.from)));
    this.voice = speaker(this.model);
    this.el.append(this.bars[0], this.canvas, this.scroll, this.bars[1], this.voice.said, help());
    for (const event of ["pointerdown", "pointermove", "pointerup", "pointercancel", "wheel", "keydown"])
      this.canvas.addEventListener(event, (e) => this[event](e), { passive: false });
  }

  scale() { return { key: this.key.value, mode: this.mode.value }; }
  swing() { return { rate: +this.vibratoRate.value, depth: +this.depth.value }; }
  take(tool) {
    this.tool = tool;
    this.tools.forEach((b, i) => b.setAttribute("aria-pressed", (i === 0) === (tool === "point")));
    this.canvas.style.cursor = tool === "draw" ? "crosshair" : "";
  }

  // ---- what Python is asked for

  edit(change, how = {}) {
    const [start, stop] = this.selection ?? [0, this.duration];
    this.model.send({ do: "edit", change, start: +start.toFixed(4), stop: +stop.toFixed(4), ...how });
  }

  // ---- places

  x(s) { return EDGE.left + ((s - this.from) / (this.to - this.from)) * this.plot; }
  s(x) { return clamp(this.from + ((x - EDGE.left) / this.plot) * (this.to - this.from), 0, this.duration); }
  y(hz) { return EDGE.top + ((this.high - midi(hz)) / (this.high - this.low)) * this.tall; }
  pitch(y) { return hertz(this.high - ((y - EDGE.top) / this.tall) * (this.high - this.low)); }
  frame(s) { return clamp(Math.round(s * this.rate), 0, this.hz.length - 1); }
  get tall() { return EDGE.height - EDGE.top - EDGE.bottom; }

  /** Pitches from a fifth below the lowest to a fifth above the highest; it only grows, so that nothing jumps. */
  fit() {
    const sung = this.hz.filter((hz) => hz > 0).map(midi), edge = this.model.get("bounds").map(midi);
    const low = sung.length ? sung.reduce((a, b) => Math.min(a, b)) : 50, high = sung.length ? sung.reduce((a, b) => Math.max(a, b)) : 70;
    this.low = Math.max(edge[0], Math.min(this.low ?? 999, low - 7));
    this.high = Math.min(edge[1], Math.max(this.high ?? -999, high + 7));
  }

  look(from, span = this.to - this.from) {
    span = clamp(span, Math.min(0.5, this.duration), this.duration);
    this.from = clamp(from, 0, this.duration - span);
    this.to = this.from + span;
    this.scroll.hidden = this.duration - span < 0.01;
    this.scroll.value = this.duration > span ? (1000 * this.from) / (this.duration - span) : 0;
    this.refresh();
  }

  zoom(factor, around = this.cursor) {
    if (around < this.from || around > this.to) around = (this.from + this.to) / 2;
    this.look(around - (around - this.from) * factor, (this.to - this.from) * factor);
  }

  /** First and last second of what is sung without a break around a frame. */
  phrase(frame) {
    let [a, b] = [frame, frame];
    while (a > 0 && this.hz[a - 1] > 0) a--;
    while (b < this.hz.length - 1 && this.hz[b + 1] > 0) b++;
    return [a / this.rate, (b + 1) / this.rate];
  }

  // ---- drawing

  refresh = onceAFrame(() => this.paint());

  paint() {
    const { context, width, height } = sheet(this.canvas, EDGE.height), look = colours(this.el);
    this.plot = width - EDGE.left - EDGE.right;
    const bottom = height - EDGE.bottom, right = width - EDGE.right;
    if (this.inked !== look.ink) [this.image, this.inked] = [picture(octets(this.model.get("picture")), ...this.model.get("shape"), look.ink), look.ink];
    context.font = "11px system-ui, sans-serif";
    this.paintNotes(context, look, right);
    secondsAxis(context, { left: EDGE.left, right, bottom, from: this.from, to: this.to, ink: look.ink });
    context.save();
    context.beginPath();
    context.rect(EDGE.left, EDGE.top, this.plot, this.tall);
    context.clip();
    this.paintPicture(context);
    if (this.selection) {
      const [a, b] = this.selection.map((s) => this.x(s));
      context.fillStyle = look.dark ? "rgba(86, 180, 233, .25)" : "rgba(0, 114, 178, .15)";
      context.fillRect(a, EDGE.top, b - a, this.tall);
      context.strokeStyle = look.dark ? SKY : BLUE;
      context.strokeRect(a + 0.5, EDGE.top + 0.5, b - a, this.tall - 1);
    }
    this.paintCurve(context, look.ground, 5, this.hz);
    this.paintCurve(context, look.dark ? SKY : BLUE, 2.2, this.hz, this.preview ? 0.4 : 1);
    if (this.preview) this.paintCurve(context, look.dark ? ORANGE : RED, 2.6, this.preview);
    this.paintLine(context, this.cursor, look.ink, [3, 3]);
    if (this.player.playing) this.paintLine(context, this.player.seconds, look.dark ? ORANGE : RED, []);
    context.restore();
  }

  paintPicture(context) {
    const [low, high] = this.model.get("bounds").map(midi), { width, height } = this.image;
    const top = (high - this.high) / (high - low), share = (this.high - this.low) / (high - low);
    const left = this.from / this.duration, span = (this.to - this.from) / this.duration;
    context.drawImage(this.image, left * width, top * height, span * width, share * height, EDGE.left, EDGE.top, this.plot, this.tall);
  }

  paintNotes(context, look, right) {
    const room = this.tall / (this.high - this.low), steps = room > 11 ? [0, 2, 4, 5, 7, 9, 11] : room > 5 ? [0, 4, 7] : [0];
    context.textAlign = "right";
    context.textBaseline = "middle";
    for (let n = Math.ceil(this.low); n <= this.high; n++) {
      if (!steps.includes(n % 12)) continue;
      const y = this.y(hertz(n));
      context.fillStyle = look.ink;
      if (y > EDGE.top + 4 && y < EDGE.top + this.tall - 2) context.fillText(`${noteName(n)} ${Math.round(hertz(n))}`, EDGE.left - 6, y);
      context.globalAlpha = n % 12 ? 0.12 : 0.3;
      context.fillRect(EDGE.left, Math.round(y), right - EDGE.left, 1);
      context.globalAlpha = 1;
    }
    context.fillStyle = look.ink;
    context.textBaseline = "top";
    context.fillText("note, Hz", EDGE.left - 6, EDGE.height - EDGE.bottom + 5);
  }

  paintCurve(context, colour, width, hz, alpha = 1) {
    Object.assign(context, { strokeStyle: colour, lineWidth: width, globalAlpha: alpha, lineJoin: "round", lineCap: "round" });
    context.beginPath();
    let down = false;
    for (let i = this.frame(this.from); i <= this.frame(this.to); i++) {
      if (hz[i] > 0) context[down ? "lineTo" : "moveTo"](this.x(i / this.rate), this.y(hz[i]));
      if (hz[i] > 0 && !down) context.lineTo(this.x(i / this.rate) + 0.5, this.y(hz[i]));
      down = hz[i] > 0;
    }
    context.stroke();
    Object.assign(context, { globalAlpha: 1, lineWidth: 1 });
  }

  paintLine(context, s, colour, dash) {
    context.strokeStyle = colour;
    context.setLineDash(dash);
    context.beginPath();
    context.moveTo(this.x(s), EDGE.top);
    context.lineTo(this.x(s), EDGE.top + this.tall);
    context.stroke();
    context.setLineDash([]);
  }

  // ---- mouse and touch

  at(event) {
    const box = this.canvas.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    const near = event.pointerType === "touch" ? 2 * NEAR : NEAR;
    return { x, y, near, s: this.s(x), hz: this.pitch(clamp(y, EDGE.top, EDGE.top + this.tall)) };
  }

  onCurve({ s, y, near }) {
    const frame = this.frame(s);
    return this.hz[frame] > 0 && Math.abs(this.y(this.hz[frame]) - y) < near;
  }

  pointerdown(event) {
    if (event.button) return;
    const at = this.at(event), within = this.selection && at.s >= this.selection[0] && at.s <= this.selection[1];
    this.canvas.setPointerCapture(event.pointerId);
    if (this.tool === "draw") this.drag = { kind: "draw", points: [at] };
    else if (this.onCurve(at)) this.drag = { kind: "move", at, region: within ? this.selection : this.phrase(this.frame(at.s)) };
    else this.drag = { kind: "select", from: event.shiftKey ? this.cursor : at.s };
    if (this.drag.kind === "select" && event.shiftKey) this.pointermove(event);
  }

  pointermove(event) {
    const at = this.at(event);
    if (!this.drag) {
      if (this.tool === "point") this.canvas.style.cursor = this.onCurve(at) ? "ns-resize" : "text";
      return;
    }
    if (this.drag.kind === "draw") this.drag.points.push(at);
    if (this.drag.kind === "select") this.selection = Math.abs(at.s - this.drag.from) > 0.02 ? [this.drag.from, at.s].sort((a, b) => a - b) : null;
    if (this.drag.kind === "move") {
      const semitones = midi(at.hz) - midi(this.drag.at.hz);
      this.drag.semitones = event.shiftKey ? Math.round(semitones) : +semitones.toFixed(2);
      this.voice.say(`${this.drag.semitones >= 0 ? "+" : ""}${this.drag.semitones} semitones`);
    }
    this.preview = this.drag.kind === "select" ? null : this.guess();
    this.refresh();
  }

  /** What Python will answer, about, to be seen while the mouse moves. */
  guess() {
    const hz = this.hz.slice(), { kind, region, semitones = 0 } = this.drag;
    if (kind === "move") for (let i = this.frame(region[0]); i < region[1] * this.rate - 0.5; i++) hz[i] *= 2 ** (semitones / 12);
    else this.line().forEach(({ s, hz: pitch }, n, points) => {
      const before = points[Math.max(0, n - 1)], [a, b] = [this.frame(before.s), this.frame(s)];
      for (let i = a; i <= b; i++) hz[i] = before.hz * (pitch / before.hz) ** (b > a ? (i - a) / (b - a) : 1);
    });
    return hz;
  }

  /** The points drawn, in the order of time; a later one wipes out those it passes on the way back. */
  line() {
    const points = [], drawn = this.drag.points, rightwards = drawn.at(-1).s >= drawn[0].s;
    for (const point of drawn) {
      while (points.length && (rightwards ? points.at(-1).s >= point.s : points.at(-1).s <= point.s)) points.pop();
      points.push(point);
    }
    return rightwards ? points : points.reverse();
  }

  pointerup(event) {
    const drag = this.drag, at = this.at(event);
    if (drag?.kind === "draw") {
      const points = this.line();
      this.model.send({ do: "draw", seconds: points.map((p) => +p.s.toFixed(4)), pitches: points.map((p) => +p.hz.toFixed(2)) });
    } else if (drag?.kind === "move" && drag.semitones) {
      const [start, stop] = drag.region.map((s) => +s.toFixed(4));
      this.model.send({ do: "edit", change: "shift", start, stop, semitones: drag.semitones });
    } else if (drag) {
      this.place(this.selection && drag.kind === "select" ? this.selection[0] : at.s);
    }
    this.drag = null;
    this.refresh();
  }

  pointercancel() {
    this.drag = this.preview = null;
    this.refresh();
  }

  wheel(event) {
    const along = event.deltaX || (event.shiftKey ? event.deltaY : 0);
    if (!event.ctrlKey && !event.metaKey && !along) return; // the page scrolls
    event.preventDefault();
    if (along) this.look(this.from + (along / this.plot) * (this.to - this.from));
    else this.zoom(1.002 ** event.deltaY, this.at(event).s);
  }

  // ---- keys

  keydown(event) {
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key, control = event.ctrlKey || event.metaKey;
    const side = { ArrowLeft: -1, ArrowRight: 1 }[key], height = { ArrowDown: -1, ArrowUp: 1 }[key];
    const command = {
      z: () => this.model.send({ do: event.shiftKey ? "redo" : "undo" }), y: () => this.model.send({ do: "redo" }),
      a: () => this.select(0, this.duration),
    }, plain = {
      " ": () => this.toggle(), s: () => this.edit("smooth"), q: () => this.edit("to_scale", this.scale()),
      b: () => this.edit("vibrato", this.swing()), f: () => this.edit("flatten"), v: () => this.edit("voice"),
      Delete: () => this.edit("unvoice"), Backspace: () => this.edit("unvoice"), Escape: () => this.select(),
      "+": () => this.zoom(1 / 1.6), "=": () => this.zoom(1 / 1.6), "-": () => this.zoom(1.6),
      Home: () => this.step(0, event.shiftKey), End: () => this.step(this.duration, event.shiftKey),
    };
    const deed = side ? () => this.step(this.cursor + side * (control ? 1 : 0.05), event.shiftKey)
      : height ? () => this.edit("shift", { semitones: height * (event.shiftKey ? 12 : event.altKey ? 0.1 : 1) })
        : (control ? command : plain)[key];
    if (!deed) return;
    event.preventDefault();
    deed();
  }

  /** The cursor goes to a second; with `selecting`, what is in between is selected. */
  step(s, selecting) {
    s = clamp(s, 0, this.duration);
    if (selecting) {
      const [a, b] = this.selection ?? [this.cursor, this.cursor];
      const anchor = Math.abs(this.cursor - a) < 1e-6 ? b : a;
      this.selection = anchor === s ? null : [anchor, s].sort((one, other) => one - other);
    } else this.selection = null;
    this.place(s);
  }

  place(s) {
    this.cursor = s;
    const hz = this.hz[this.frame(s)], near = Math.round(midi(hz));
    const cents = Math.round(100 * (midi(hz) - near));
    const chosen = this.selection ? `; selected ${this.selection.map((t) => t.toFixed(2)).join(" to ")} s` : "";
    this.voice.say(`${s.toFixed(2)} s: ${hz > 0 ? `${noteName(near)} ${cents < 0 ? "−" : "+"}${Math.abs(cents)} cents, ${Math.round(hz)} Hz` : "unvoiced"}${chosen}`);
    if (s < this.from || s > this.to) this.look(s - (this.to - this.from) / 2);
    else this.refresh();
  }

  select(start, stop) {
    this.selection = start === undefined ? null : [start, stop];
    this.place(this.cursor);
  }

  // ---- sound

  async toggle() {
    if (this.player.playing) return this.player.stop();
    this.song ??= (await this.player.load([this.model.get("sound")]))[0];
    const from = this.cursor < this.duration - 0.05 ? this.cursor : 0;
    await this.player.play([this.song, this.tone()], ALL[this.heard.value], from);
  }

  /** The curve as a tone, so that it can be heard before anything is converted. */
  tone() { return hum(this.hz, this.rate, this.duration); }

  played() {
    const on = this.player.playing;
    this.playing.textContent = on ? "■ Stop" : "▶ Play";
    this.playing.setAttribute("aria-label", on ? "Stop (space)" : "Play from the cursor (space)");
    this.refresh();
  }

  /** The picture goes along with the playhead. */
  follow() {
    if (this.player.seconds > this.to) this.look(this.player.seconds);
    this.refresh();
  }
}

function help() {
  const keys = [["← →", "cursor, by 0.05 s; Ctrl: 1 s; Shift: select"], ["↑ ↓", "shift by a semitone; Alt: 10 cents; Shift: an octave"],
    ["Ctrl+A", "select all"], ["Esc", "select nothing"], ["space", "play, stop"], ["S", "smooth"], ["Q", "to scale"],
    ["B", "vibrato"], ["F", "flatten"], ["V", "voice"], ["Del", "unvoice"], ["Ctrl+Z", "undo"], ["Ctrl+Shift+Z", "redo"], ["+ −", "zoom"]];
  return make("details", {}, make("summary", {}, "Keys and mouse"), "Drag over the picture to select, drag the curve to move it "
    + "(its phrase, or the selection), Ctrl+wheel to zoom. Without a selection, buttons and keys change the whole song. ", ...keysHelp(keys));
}

export default {
  render({ model, el }) {
    const editor = new PitchEditor(model, el);
    return () => editor.remove();
  },
};
