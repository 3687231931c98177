// Compare: all takes play at once on one clock, and all but one are silent; switching is a fade of 15 ms.

const ROW = 92, TOP = 2, FOOT = 24; // pixels

class Compare {
  constructor(model, el) {
    Object.assign(this, { model, el, active: 0, cursor: 0, sounds: null });
    this.duration = model.get("seconds");
    this.player = new Player(() => this.played(), () => this.refresh());
    this.build();
    const renew = () => this.renew();
    model.on("change:trial", renew);
    const leave = stage(el, "Compare takes"), unwatch = watch(el, () => this.refresh());
    const keys = (event) => this.keydown(event);
    el.addEventListener("keydown", keys);
    this.renew();
    this.remove = () => {
      model.off("change:trial", renew);
      el.removeEventListener("keydown", keys);
      for (const end of [leave, unwatch, this.voice.quiet]) end();
      this.player.close();
    };
  }

  get trial() { return this.model.get("trial"); }
  get blind() { return this.trial.number !== undefined; }
  get takes() { return this.blind ? ["A", "B", "X"] : this.model.get("names"); }

  // ---- what is on the page

  build() {
    const names = this.model.get("names");
    const choice = (label, value) =>
      make("select", { "aria-label": label, title: label }, ...names.map((n, i) => make("option", { selected: i === value }, n)));
    this.playing = button("▶ Play", "Play from the cursor (space)", () => this.toggle());
    this.choices = make("span", { className: "svcnb-group", role: "group", "aria-label": "Take" });
    this.a = choice("Take A of the blind test", 0);
    this.b = choice("Take B of the blind test", 1);
    this.test = make("div", { className: "svcnb-bar" });
    this.canvas = make("canvas", { tabIndex: 0, role: "slider", "aria-label": "Place in the song, in seconds", "aria-valuemin": 0,
      "aria-valuemax": this.duration.toFixed(1), click: (event) => this.point(event) });
    this.voice = speaker(this.model);
    this.el.append(make("div", { className: "svcnb-bar" }, this.playing, this.choices), this.canvas, this.test, this.voice.said,
      make("details", {}, make("summary", {}, "Keys"), ...keysHelp([["1 … 9", "switch"], ["space", "play, stop"], ["← →", "by a second"]]),
        " · click a picture to hear that take there. All takes are equally loud."));
    this.canvas.compare = this;
  }

  /** Another set of takes: when a blind test begins, goes on or ends. */
  async renew() {
    const resume = this.player.playing;
    this.player.stop();
    this.sounds = null;
    this.active = this.blind ? 2 : clamp(this.active, 0, this.takes.length - 1);
    this.choices.replaceChildren(...this.takes.map((name, i) => make("button", {
      type: "button", title: `Hear ${name} (${i + 1})`, click: () => this.switch(i) }, `${i + 1} · ${this.title(name)}`)));
    const send = (content) => () => this.model.send(content);
    const { a, b, number } = this.trial, pressed = [...this.test.querySelectorAll("button")].findIndex((b) => b.matches(":focus"));
    this.test.replaceChildren(...(this.blind
      ? [group("Answer", `Trial ${number}: X is`, button(`A · ${a}`, `A · ${a} is X`, send({ do: "answer", name: a })),
        button(`B · ${b}`, `B · ${b} is X`, send({ do: "answer", name: b }))),
      button("End the test", "End the test and see the score", send({ do: "end" }))]
      : this.takes.length > 1 ? [group("Blind test", "Can you hear the difference?", this.a, "or", this.b,
        button("Blind test", "Begin a blind test of these two", () => this.model.send({ do: "begin", a: this.a.value, b: this.b.value })))] : []));
    const buttons = this.test.querySelectorAll("button");
    if (pressed >= 0) (buttons[pressed] ?? buttons[0]).focus(); // the keyboard stays where it was
    this.mark();
    if (resume) await this.toggle();
  }

  title(name) { return this.blind && name !== "X" ? `${name}, ${this.trial[name.toLowerCase()]}` : name; }

  mark() {
    [...this.choices.children].forEach((b, i) => b.setAttribute("aria-pressed", i === this.active));
    this.refresh();
  }

  // ---- sound

  switch(take) {
    if (take >= this.takes.length) return;
    this.active = take;
    this.player.fade(this.gains());
    this.voice.say(this.blind ? this.title(this.takes[take]) : `${this.takes[take]}: ${this.level(take)}`);
    this.mark();
  }

  gains() { return this.takes.map((_, i) => (i === this.active ? 1 : 0)); }

  level(take) {
    const lufs = this.model.get("lufs")[take], gain = this.model.get("gains")[take];
    return lufs === null ? "silent" : `${lufs.toFixed(1).replace("-", "−")} LUFS, here ${gain < 0 ? "−" : "+"}${Math.abs(gain).toFixed(1)} dB`;
  }

  async toggle() {
    if (this.player.playing) return this.player.stop();
    const all = this.model.get("sounds"), at = (name) => all[this.model.get("names").indexOf(name)], { trial } = this;
    const sounds = this.sounds ?? await this.player.load(this.blind ? [at(trial.a), at(trial.b), trial.x] : all);
    if (trial !== this.trial) return this.toggle(); // answered meanwhile: this X is not the one to be heard
    this.sounds = sounds;
    const from = this.place < this.duration - 0.05 ? this.place : 0;
    await this.player.play(this.sounds, this.gains(), from);
  }

  get place() { return this.player.playing ? Math.min(this.player.seconds, this.duration) : this.cursor; }

  async seek(second) {
    this.cursor = clamp(second, 0, this.duration);
    if (this.player.playing) await this.player.play(this.sounds, this.gains(), this.cursor);
    this.locate();
  }

  /** Told when it stops or is moved; a screen reader that heard each frame would never be silent. */
  locate() {
    this.canvas.setAttribute("aria-valuenow", this.place.toFixed(1));
    this.canvas.setAttribute("aria-valuetext", `${this.place.toFixed(1)} s`);
    this.refresh();
  }

  played() {
    const on = this.player.playing;
    if (!on) this.cursor = clamp(this.player.offset, 0, this.duration);
    this.playing.textContent = on ? "■ Stop" : "▶ Play";
    this.playing.setAttribute("aria-label", on ? "Stop (space)" : "Play from the cursor (space)");
    this.locate();
  }

  // ---- mouse and keys

  async point(event) {
    const box = this.canvas.getBoundingClientRect();
    const take = Math.floor((event.clientY - box.top - TOP) / ROW);
    if (!this.blind && take >= 0 && take < this.takes.length) this.switch(take);
    await this.seek(((event.clientX - box.left) / box.width) * this.duration);
  }

  keydown(event) {
    if (event.target.tagName === "SELECT" || event.ctrlKey || event.metaKey || event.altKey) return;
    const side = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (/^[1-9]$/.test(event.key)) this.switch(+event.key - 1);
    else if (event.key === " " && event.target.tagName !== "BUTTON") this.toggle();
    else if (side) this.seek(this.place + side);
    else return;
    event.preventDefault();
  }

  // ---- drawing

  refresh = onceAFrame(() => this.paint());

  paint() {
    const rows = this.blind ? 1 : this.takes.length;
    const { context, width, height } = sheet(this.canvas, TOP + rows * ROW + FOOT), look = colours(this.el);
    if (this.inked !== look.ink) {
      this.images = this.model.get("pictures").map((levels) => picture(octets(levels), ...this.model.get("shape"), look.ink));
      this.inked = look.ink;
    }
    const bottom = height - FOOT, accent = look.dark ? SKY : BLUE;
    for (let i = 0; i < rows; i++) this.paintTake(context, i, width, look, accent);
    context.font = "11px system-ui, sans-serif";
    secondsAxis(context, { left: 0, right: width, bottom, from: 0, to: this.duration, ink: look.ink });
    context.fillStyle = look.dark ? ORANGE : RED;
    context.fillRect(clamp((this.place / this.duration) * width - 1, 0, width - 2), TOP, 2, bottom - TOP);
  }

  paintTake(context, i, width, look, accent) {
    const y = TOP + i * ROW, here = i === this.active && !this.blind;
    context.globalAlpha = here || this.blind ? 1 : 0.6;
    if (!this.blind) context.drawImage(this.images[i], 0, y, width, ROW - 6);
    context.globalAlpha = 1;
    context.strokeStyle = here ? accent : look.ink;
    context.lineWidth = here ? 2 : 0.4;
    context.strokeRect(1, y + 0.5, width - 2, ROW - 7);
    if (!this.blind) hertzAxis(context, { right: width, top: y, bottom: y + ROW - 6, bounds: this.model.get("bounds"), look });
    const text = this.blind ? "The pictures are hidden during the test." : `${i + 1} · ${this.takes[i]}   ${this.level(i)}`;
    context.font = `${here ? "bold " : ""}12px system-ui, sans-serif`;
    context.textAlign = "left";
    context.textBaseline = "middle";
    context.fillStyle = look.ground;
    context.fillRect(4, y + 4, context.measureText(text).width + 10, 18);
    context.fillStyle = look.ink;
    context.fillText(text, 9, y + 13);
  }
}

export default {
  render({ model, el }) {
    const compare = new Compare(model, el);
    return () => compare.remove();
  },
};
