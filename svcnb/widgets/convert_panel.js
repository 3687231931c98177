// ConvertPanel: a control for each option of a conversion, and a few seconds of the song to hear what they do.

const STRIP = 56, FOOT = 22; // pixels: the picture of the song, and the seconds below it
const TAKES = ["Original", "Converted"];

class ConvertPanel {
  constructor(model, el) {
    Object.assign(this, { model, el, active: 1, mark: Math.random().toString(36).slice(2) });
    this.player = new Player(() => this.played(), () => this.refresh());
    this.build();
    this.canvas.panel = this;
    const renew = () => this.renew(), sung = () => this.wanted && this.listen();
    const told = "change:values change:speaker change:start change:busy change:fresh change:said";
    model.on(told, renew);
    model.on("change:sounds", sung);
    const leave = stage(el, "Options of the conversion"), unwatch = watch(el, () => this.refresh());
    renew();
    this.remove = () => {
      for (const name of told.split(" ")) model.off(name, renew);
      model.off("change:sounds", sung);
      for (const end of [leave, unwatch, this.voice.quiet]) end();
      this.player.close();
    };
  }

  get seconds() { return this.model.get("seconds"); }
  get start() { return this.drag ?? this.model.get("start"); }
  get last() { return this.model.get("duration") - this.seconds; }

  // ---- what is on the page

  build() {
    const send = (content) => this.model.send(content), length = +this.seconds.toFixed(1);
    this.hearing = button(`▶ Hear ${length} seconds`, `Convert and hear ${length} seconds`, () => this.hear());
    this.takes = TAKES.map((name, i) => button(name, `Hear the ${name.toLowerCase()} piece`, () => this.switch(i)));
    this.who = make("select", { "aria-label": "Who sings", change: () => send({ do: "choose", speaker: this.who.value }) },
      ...this.model.get("speakers").map((name) => make("option", {}, name)));
    this.usual = button("As usual", "As usual: set all options back", () => send({ do: "reset" }));
    this.canvas = make("canvas", { tabIndex: 0, role: "slider", "aria-label": `Where the ${length} seconds begin`, "aria-valuemin": 0,
      "aria-valuemax": this.last.toFixed(1) });
    for (const event of ["pointerdown", "pointermove", "pointerup", "pointercancel", "keydown"])
      this.canvas.addEventListener(event, (e) => this[event](e));
    this.voice = speaker(this.model);
    this.controls = this.model.get("knobs").map((knob) => this.control(knob));
    this.el.append(make("div", { className: "svcnb-bar" }, group("Singer", "Singer", this.who), this.hearing,
      group("Take", ...this.takes), this.usual), this.canvas, this.voice.said, ...this.groups());
  }

  /** Rows of the same group stand together; what is for beginners is open. */
  groups() {
    const names = [...new Set(this.controls.map(({ knob }) => knob.group))];
    return names.map((name, i) => {
      const rows = this.controls.filter(({ knob }) => knob.group === name), missing = rows.every(({ knob }) => knob.missing);
      const title = name[0].toUpperCase() + name.slice(1) + (missing ? ` (${rows[0].knob.missing})` : "");
      return make("details", { open: i < 2 && !missing, className: "svcnb-knobs" }, make("summary", {}, title), ...rows.map(({ row }) => row));
    });
  }

  /** The row of an option, and how to show a value in it. */
  control(knob) {
    const id = `${this.mark}-${knob.name}`, tell = (value) => this.model.send({ do: "set", name: knob.name, value });
    const { parts, show, after = "" } = { switch: toggle, choice, number }[knob.kind](knob, id, tell);
    for (const part of parts) {
      part.setAttribute("aria-describedby", `${id}-means`);
      part.disabled = Boolean(knob.missing);
    }
    const meaning = knob.missing ? `${knob.meaning} Not now: ${knob.missing}.` : knob.meaning;
    const row = make("div", { className: "svcnb-knob" }, make("label", { htmlFor: id }, knob.name),
      make("span", { className: "svcnb-group" }, ...parts, knob.unit || after), make("span", { id: `${id}-means` }, meaning));
    return { knob, row, show };
  }

  renew() {
    const values = this.model.get("values"), busy = this.model.get("busy");
    for (const { knob, show } of this.controls) show(values[knob.name]);
    this.who.value = this.model.get("speaker");
    able(this.usual, this.controls.some(({ knob }) => values[knob.name] !== knob.default));
    this.canvas.setAttribute("aria-valuenow", this.start.toFixed(1));
    this.canvas.setAttribute("aria-valuetext", `${this.start.toFixed(1)} to ${(this.start + this.seconds).toFixed(1)} s`);
    this.el.setAttribute("aria-busy", busy);
    this.played();
  }

  // ---- sound

  /** Browsers let a page sound only after a click or a key, so the player is opened now. */
  async hear() {
    if (this.player.playing) return this.player.stop();
    this.player.open().resume();
    if (this.model.get("fresh")) return this.listen();
    this.wanted = true;
    this.model.send({ do: "hear" });
  }

  async listen() {
    this.wanted = false;
    const buffers = await this.player.load(this.model.get("sounds"));
    await this.player.play(buffers, this.gains(), 0);
  }

  gains() { return TAKES.map((_, i) => (i === this.active ? 1 : 0)); }

  switch(take) {
    this.active = take;
    this.player.fade(this.gains());
    this.played();
  }

  played() {
    const on = this.player.playing, busy = this.model.get("busy"), length = +this.seconds.toFixed(1);
    this.hearing.textContent = busy ? "… converting" : on ? "■ Stop" : `▶ Hear ${length} seconds`;
    this.hearing.setAttribute("aria-label", on ? "Stop" : `Convert and hear ${length} seconds`);
    able(this.hearing, !busy);
    this.takes.forEach((take, i) => take.setAttribute("aria-pressed", i === this.active));
    this.refresh();
  }

  // ---- which seconds

  second(event) {
    const box = this.canvas.getBoundingClientRect();
    return ((event.clientX - box.left) / box.width) * this.model.get("duration");
  }

  pointerdown(event) {
    if (event.button) return;
    this.canvas.setPointerCapture(event.pointerId);
    const at = this.second(event), inside = at >= this.start && at <= this.start + this.seconds;
    this.grip = inside ? at - this.start : this.seconds / 2;
    this.pointermove(event);
  }

  pointermove(event) {
    if (this.grip === undefined) return;
    this.drag = clamp(this.second(event) - this.grip, 0, this.last);
    this.refresh();
  }

  pointerup() {
    if (this.drag !== undefined) this.move(this.drag);
    this.pointercancel();
  }

  pointercancel() {
    this.drag = this.grip = undefined;
    this.refresh();
  }

  keydown(event) {
    const to = { ArrowLeft: this.start - 1, ArrowRight: this.start + 1, ArrowDown: this.start - 1, ArrowUp: this.start + 1,
      PageDown: this.start - this.seconds, PageUp: this.start + this.seconds, Home: 0, End: this.last }[event.key];
    if (to === undefined && event.key !== " ") return;
    event.preventDefault();
    if (to === undefined) this.hear();
    else this.move(clamp(to, 0, this.last));
  }

  move(start) {
    this.player.stop();
    this.model.send({ do: "move", start: +start.toFixed(3) });
  }

  // ---- drawing

  refresh = onceAFrame(() => this.paint());

  paint() {
    const { context, width } = sheet(this.canvas, STRIP + FOOT), look = colours(this.el), levels = octets(this.model.get("outline"));
    const scale = width / this.model.get("duration"), accent = look.dark ? SKY : BLUE, left = this.start * scale;
    context.globalAlpha = 0.15;
    context.fillStyle = accent;
    context.fillRect(left, 0, this.seconds * scale, STRIP);
    context.globalAlpha = 1;
    for (let x = 0; x < width; x++) {
      const tall = Math.max(1, (levels[Math.floor((x / width) * levels.length)] / 255) * (STRIP - 8));
      const heard = x >= left && x <= left + this.seconds * scale;
      context.fillStyle = heard ? accent : look.ink;
      context.globalAlpha = heard ? 1 : 0.45;
      context.fillRect(x, (STRIP - tall) / 2, 1, tall);
    }
    context.globalAlpha = 1;
    context.strokeStyle = accent;
    context.strokeRect(left + 0.5, 0.5, this.seconds * scale - 1, STRIP - 1);
    context.font = "11px system-ui, sans-serif";
    secondsAxis(context, { left: 0, right: width, bottom: STRIP, from: 0, to: this.model.get("duration"), ink: look.ink });
    if (this.player.playing) {
      context.fillStyle = look.dark ? ORANGE : RED;
      context.fillRect(left + Math.min(this.player.seconds, this.seconds) * scale - 1, 0, 2, STRIP);
    }
  }
}

// ---- the three kinds of controls: their elements, and how a value is shown in them

function toggle(knob, id, tell) {
  const box = make("input", { type: "checkbox", id, change: () => tell(box.checked) });
  return { parts: [box], show: (value) => { box.checked = value; } };
}

function choice(knob, id, tell) {
  const names = knob.default === null ? ["", ...knob.choices] : knob.choices;
  const list = make("select", { id, change: () => tell(list.value || null) },
    ...names.map((name) => make("option", { value: name }, name || "as usual")));
  return { parts: [list], show: (value) => { list.value = value ?? ""; } };
}

/** A slider and a field for the same number; where none is allowed, a box that says so. */
function number(knob, id, tell) {
  const { least, greatest, step, usual, name } = knob, some = { min: least, max: greatest, step };
  const told = (event) => { if (event.target.value !== "") tell(+event.target.value); };
  const field = make("input", { type: "number", id, ...(least === null ? {} : { step, min: least }), change: told });
  const slider = make("input", { type: "range", "aria-label": `${name}, slider`, ...some, change: told });
  slider.oninput = () => { field.value = slider.value; };
  const none = make("input", { type: "checkbox", change: () => tell(none.checked ? null : usual) });
  none.setAttribute("aria-label", `${name} as usual`);
  const open = knob.default === null, parts = [...(least === null ? [] : [slider]), field, ...(open ? [none] : [])];
  return { parts, after: open ? "as usual" : "", show: (value) => {
    for (const part of [slider, field]) {
      part.value = value ?? usual;
      part.disabled = Boolean(knob.missing) || value === null;
    }
    none.checked = value === null;
  } };
}

export default {
  render({ model, el }) {
    const panel = new ConvertPanel(model, el);
    return () => panel.remove();
  },
};
