// TrainingMonitor: what a training that runs in Python tells of itself, and the buttons that start and stop it.

const TAKE = 110, FOOT = 22, WIDE = 560; // pixels: the picture of a sound, and the seconds below it
const PLOT = 150, PAD = { left: 44, right: 8, top: 22, bottom: 20 }, NARROW = 240; // pixels

class TrainingMonitor {
  constructor(model, el) {
    Object.assign(this, { model, el });
    this.player = new Player(() => this.playing());
    this.build();
    const leave = stage(el, "Training"), unwatch = watch(el, () => this.refresh());
    const told = () => { this.tell(); this.refresh(); }, heard = () => this.hear();
    model.on("change:state change:facts change:curves", told);
    model.on("change:heard_at", heard);
    this.hear();
    this.tell();
    this.remove = () => {
      model.off("change:state change:facts change:curves", told);
      model.off("change:heard_at", heard);
      for (const end of [leave, unwatch, this.voice.quiet]) end();
      this.player.close();
    };
  }

  // ---- what is on the page

  build() {
    const ask = (deed) => () => this.model.send({ do: deed });
    this.start = button("▶ Start", "Start or go on with the training", ask("start"));
    this.halt = button("■ Stop", "Stop after this step, and save", ask("stop"));
    this.facts = make("span", {});
    this.canvas = make("canvas", { role: "img" });
    this.takes = make("div", {});
    this.voice = speaker(this.model);
    this.el.append(make("div", { className: "svcnb-bar" }, group("Training", this.start, this.halt), this.facts), this.canvas, this.takes,
      this.voice.said);
    this.canvas.monitor = this;
  }

  /** The sounds of the last evaluation, each with a button and its spectrogram. */
  hear() {
    this.player.stop();
    const at = this.model.get("heard_at");
    this.takes.replaceChildren(...Object.keys(this.model.get("pictures")).map((name) => {
      const listen = button(`▶ ${name}, step ${at}`, `${name}, step ${at}: hear it`, () => this.listen(name, listen));
      return make("figure", { style: "margin: 6px 0" }, listen,
        make("canvas", { role: "img", "aria-label": `Spectrogram of ${name} as sung after step ${at}`, style: `max-width: ${WIDE}px; margin-top: 4px` }));
    }));
    this.refresh();
  }

  async listen(name, pressed) {
    const same = this.pressed === pressed && this.player.playing;
    this.player.stop();
    if (same) return;
    const buffers = await this.player.load([this.model.get("sounds")[name]]);
    this.pressed = pressed;
    await this.player.play(buffers, [1], 0);
  }

  playing() { this.pressed?.setAttribute("aria-pressed", this.player.playing); }

  /** Words and buttons are right at once; a picture that is out of sight is drawn when it is looked at. */
  tell() {
    const state = this.model.get("state"), busy = state === "training" || state === "stopping";
    able(this.start, !busy);
    able(this.halt, state === "training");
    this.start.textContent = this.model.get("step") ? "▶ Go on" : "▶ Start";
    const { learning_rate: rate, seconds, left } = this.model.get("facts");
    this.facts.textContent = seconds === undefined ? state : [state, `step ${this.model.get("step")}`,
      seconds < 1 ? `${(1 / seconds).toFixed(1)} steps a second` : `${seconds.toFixed(1)} s a step`,
      `learning rate ${rate.toExponential(1)}`, ...(busy && left !== null ? [`${span(left)} left`] : [])].join(" · ");
    const last = Object.entries(this.model.get("curves")).map(([name, [, y]]) => `${name} ${y.at(-1)?.toPrecision(3)}`);
    this.canvas.setAttribute("aria-label", last.join(", ") || "no losses yet");
  }

  // ---- drawing

  refresh = onceAFrame(() => this.paint());

  paint() {
    const curves = Object.entries(this.model.get("curves")), wide = this.canvas.clientWidth || 600;
    const columns = clamp(Math.floor(wide / NARROW), 1, 3), rows = Math.ceil(curves.length / columns);
    const { context, width } = sheet(this.canvas, Math.max(1, rows * PLOT)), look = colours(this.el);
    context.font = "11px system-ui, sans-serif";
    curves.forEach(([name, [x, y]], i) => {
      const left = (i % columns) * (width / columns), top = Math.floor(i / columns) * PLOT;
      plot(context, { left, top, width: width / columns, name, x, y, look });
    });
    Object.values(this.model.get("pictures")).forEach((take, i) => paintTake(this.takes.querySelectorAll("canvas")[i], take, look));
  }
}

/** What was sung, in the page's ink. */
function paintTake(canvas, { levels, shape, bounds, seconds }, look) {
  const { context, width } = sheet(canvas, TAKE + FOOT);
  context.drawImage(picture(octets(levels), ...shape, look.ink), 0, 0, width, TAKE);
  Object.assign(context, { strokeStyle: look.ink, lineWidth: 0.5 });
  context.strokeRect(0.5, 0.5, width - 1, TAKE - 1);
  hertzAxis(context, { right: width, top: 0, bottom: TAKE, bounds, look });
  secondsAxis(context, { left: 0, right: width, bottom: TAKE, from: 0, to: seconds, ink: look.ink });
}

/** A loss over the steps: as it came, thin, and smoothed, thick. */
function plot(context, { left, top, width, name, x, y, look }) {
  const known = y.filter((value) => value !== null).sort((a, b) => a - b);
  if (!known.length) return;
  const low = known[0], high = Math.max(known[Math.ceil(0.98 * (known.length - 1))], low + 1e-9);
  const box = { l: left + PAD.left, r: left + width - PAD.right, t: top + PAD.top, b: top + PLOT - PAD.bottom };
  const last = x.at(-1), first = x[0];
  const px = (v) => box.l + ((v - first) / Math.max(last - first, 1)) * (box.r - box.l);
  const py = (v) => clamp(box.b - ((v - low) / (high - low)) * (box.b - box.t), box.t, box.b);
  const accent = look.dark ? SKY : BLUE, reach = Math.max(1, Math.floor(y.length / 30));
  const mean = y.map((_, i) => {
    const near = y.slice(Math.max(0, i - reach), i + reach + 1).filter((v) => v !== null);
    return near.length ? near.reduce((a, b) => a + b) / near.length : null;
  });
  for (const [series, size, alpha] of [[y, 0.8, 0.45], [mean, 2, 1]]) {
    context.beginPath();
    series.forEach((value, i) => value !== null && context.lineTo(px(x[i]), py(value)));
    Object.assign(context, { strokeStyle: accent, lineWidth: size, globalAlpha: alpha });
    context.stroke();
  }
  Object.assign(context, { globalAlpha: 1, fillStyle: look.ink, strokeStyle: look.ink, lineWidth: 0.5, textBaseline: "middle" });
  context.strokeRect(box.l, box.t, box.r - box.l, box.b - box.t);
  context.textAlign = "right";
  for (const value of [low, high]) context.fillText(short(value), box.l - 4, py(value));
  context.textAlign = "left";
  context.fillText(`step ${first}`, box.l, box.b + 10);
  context.textAlign = "right";
  context.fillText(`${last}`, box.r, box.b + 10);
  context.textAlign = "center";
  context.fillText(name, (box.l + box.r) / 2, top + 11);
}

const short = (value) => (Math.abs(value) < 0.01 ? value.toExponential(1) : value.toPrecision(3)); // as wide as there is room
const span = (s) => (s < 90 ? `${Math.round(s)} s` : s < 5400 ? `${Math.round(s / 60)} min` : `${(s / 3600).toFixed(1)} h`);

export default {
  render({ model, el }) {
    const monitor = new TrainingMonitor(model, el);
    return () => monitor.remove();
  },
};
