// MixTimeline: draws who sings how much as stacked areas, and tells Python which point or border is moved where.

const EDGE = { left: 44, right: 10, top: 8, bottom: 24, height: 240 };
const SAME = 1e-6; // shares between borders that are one
const NEAR = 9; // pixels within which a point or border is taken hold of; a finger is twice as thick

/** Edges that go along with one of them, as Python has it: all that lie on it, if it is between two areas. */
function together(edges, one) {
  const inside = edges[one] > SAME && edges[one] < 1 - SAME;
  return edges.flatMap((edge, i) => (i === one || (inside && Math.abs(edge - edges[one]) < SAME) ? [i] : []));
}

class MixTimeline {
  constructor(model, el) {
    Object.assign(this, { model, el, speaker: 0, drag: null, points: model.get("points") });
    this.build();
    this.canvas.mixer = this;
    const renew = () => { this.points = this.model.get("points"); this.renew(); this.voice.say(model.get("said")); };
    for (const name of ["points", "chosen", "can"]) model.on(`change:${name}`, renew);
    const leave = stage(el, "Mix of speakers over time"), unwatch = watch(el, () => this.refresh());
    renew();
    this.remove = () => {
      for (const name of ["points", "chosen", "can"]) model.off(`change:${name}`, renew);
      for (const end of [leave, unwatch, this.voice.quiet]) end();
    };
  }

  get names() { return this.model.get("speakers"); }
  get duration() { return this.model.get("duration"); }
  get chosen() { return clamp(this.here ?? this.model.get("chosen"), 0, this.points.length - 1); }

  // ---- what is on the page

  build() {
    const send = (what) => () => this.model.send(what());
    const number = (label, max, change) => make("input", { type: "number", min: 0, max, step: "any", "aria-label": label, title: label, change });
    this.undo = button("↶ Undo", "Undo (Ctrl+Z)", send(() => ({ do: "undo" })));
    this.redo = button("↷ Redo", "Redo (Ctrl+Shift+Z)", send(() => ({ do: "redo" })));
    this.snap = make("input", { type: "checkbox" });
    this.snapping = make("label", {}, this.snap, " snap to silence");
    this.snapping.hidden = !this.model.get("silences").length;
    this.second = number("Time of the point in s", this.duration, () => this.move(this.second.value));
    this.shares = this.names.map((name, i) => number(`Share of ${name} at the point in percent`, 100,
      () => this.model.send({ do: "share", number: this.chosen, speaker: i, share: this.shares[i].value / 100 })));
    this.label = make("span");
    const previous = button("◀", "Previous point (arrow left)", () => this.choose(this.chosen - 1));
    const next = button("▶", "Next point (arrow right)", () => this.choose(this.chosen + 1));
    const add = button("Add a point", "Add a point after this one (Insert)", () => this.insert());
    this.remover = button("Delete", "Delete this point (Delete)", () => this.delete());
    this.canvas = make("canvas", { tabIndex: 0, role: "application", "aria-roledescription": "stacked areas" });
    this.canvas.setAttribute("aria-label", "Shares of the speakers over time. Left and right choose a point, with Alt they move it; "
      + "up and down change the share of the chosen speaker, whom a number key chooses; Insert adds, Delete removes a point.");
    this.voice = speaker(this.model);
    const swatch = (i) => {
      const mark = make("span", { className: "svcnb-swatch" });
      mark.style.background = COLOURS[i % COLOURS.length];
      return mark;
    };
    this.el.append(
      make("div", { className: "svcnb-bar" }, group("History", this.undo, this.redo), add, this.remover, this.snapping),
      this.canvas,
      make("div", { className: "svcnb-bar" }, group("Point", previous, this.label, next, this.second, "s"),
        ...this.names.map((name, i) => make("label", {}, swatch(i), `${name} `, this.shares[i], " %"))),
      this.voice.said,
      make("details", {}, make("summary", {}, "Keys and mouse"), "Drag a border up or down, a point's line sideways; double-click adds a point. ",
        ...keysHelp([["← →", "choose a point; Alt: move it by 0.1 s"], ["1 … 9", "choose a speaker"], ["↑ ↓", "the speaker's share by 5 %"], ["Ins", "add"],
          ["Del", "delete"], ["Ctrl+Z", "undo"], ["Ctrl+Shift+Z", "redo"]])));
    for (const event of ["pointerdown", "pointermove", "pointerup", "pointercancel", "dblclick", "keydown"])
      this.canvas.addEventListener(event, (e) => this[event](e));
  }

  renew() {
    this.here = undefined; // Python says again which point is meant
    able(this.undo, this.model.get("can").undo);
    able(this.redo, this.model.get("can").redo);
    this.fill();
  }

  fill() {
    const [second, shares] = this.points[this.chosen];
    this.label.textContent = `point ${this.chosen + 1} of ${this.points.length} at`;
    this.second.value = +second.toFixed(3);
    shares.forEach((share, i) => { this.shares[i].value = +(100 * share).toFixed(1); });
    able(this.remover, this.points.length > 1);
    this.refresh();
  }

  // ---- what Python is asked for

  choose(number) {
    this.here = clamp(number, 0, this.points.length - 1);
    const [second, shares] = this.points[this.here];
    this.voice.say(`Point ${this.here + 1} of ${this.points.length} at ${second.toFixed(2)} s: `
      + this.names.map((name, i) => `${name} ${Math.round(100 * shares[i])} %`).join(", "));
    this.fill();
  }

  move(second) { this.model.send({ do: "move", number: this.chosen, second: +(+second).toFixed(4), snap: this.snap.checked }); }
  delete() { this.model.send({ do: "delete", number: this.chosen }); }
  insert() {
    const [a] = this.points[this.chosen], [b] = this.points[this.chosen + 1] ?? [this.duration];
    const from = b > a ? a : 0; // after the last point there is no room: before it, then
    this.model.send({ do: "add", second: +((from + (b > a ? b : a)) / 2).toFixed(4), snap: this.snap.checked });
  }

  // ---- places

  x(s) { return EDGE.left + (s / this.duration) * this.plot; }
  s(x) { return clamp(((x - EDGE.left) / this.plot) * this.duration, 0, this.duration); }
  y(share) { return EDGE.top + (1 - share) * this.tall; }
  share(y) { return clamp(1 - (y - EDGE.top) / this.tall, 0, 1); }
  get plot() { return this.canvas.clientWidth - EDGE.left - EDGE.right; }
  get tall() { return EDGE.height - EDGE.top - EDGE.bottom; }

  /** Heights of the borders at a point: one above each speaker, the last one at 1. */
  borders(shares) {
    let sum = 0;
    return shares.map((share) => (sum += share));
  }

  /** The number of the point whose line is near, or -1. */
  pointNear({ x, near }) {
    const far = this.points.map(([s]) => Math.abs(this.x(s) - x)), nearest = Math.min(...far);
    const all = far.flatMap((d, i) => (d === nearest ? [i] : []));
    return nearest > near ? -1 : all.includes(this.chosen) ? this.chosen : all[0];
  }

  // ---- drawing

  refresh = onceAFrame(() => this.paint());

  paint() {
    const { context, width } = sheet(this.canvas, EDGE.height), look = colours(this.el);
    context.font = "11px system-ui, sans-serif";
    secondsAxis(context, { left: EDGE.left, right: width - EDGE.right, bottom: EDGE.height - EDGE.bottom, from: 0, to: this.duration, ink: look.ink });
    context.textAlign = "right";
    context.textBaseline = "middle";
    for (const share of [0, 0.25, 0.5, 0.75, 1]) context.fillText(`${100 * share} %`, EDGE.left - 6, this.y(share));
    // Before the first point and after the last one, shares are held.
    const points = [[0, this.points[0][1]], ...this.points, [this.duration, this.points.at(-1)[1]]];
    this.names.forEach((name, i) => this.paintArea(context, points, i, look));
    context.globalAlpha = 1;
    for (const [start, end] of this.model.get("silences")) this.paintSilence(context, start, end, look);
    this.points.forEach(([s, shares], n) => this.paintPoint(context, s, shares, n, look));
  }

  paintArea(context, points, i, look) {
    const upper = points.map(([s, shares]) => [this.x(s), this.y(this.borders(shares)[i])]);
    const lower = points.map(([s, shares]) => [this.x(s), this.y(this.borders(shares)[i] - shares[i])]);
    context.beginPath();
    for (const place of [...upper, ...lower.reverse()]) context.lineTo(...place);
    context.closePath();
    context.fillStyle = COLOURS[i % COLOURS.length];
    context.globalAlpha = i === this.speaker ? 0.95 : 0.75;
    context.fill();
    context.globalAlpha = 1;
    context.strokeStyle = look.ground;
    context.lineWidth = 1.5;
    context.stroke();
    this.paintName(context, points, i, look);
  }

  /** The name stands where its area is highest. */
  paintName(context, points, i, look) {
    const [s, shares] = points.slice(0, -1).map(([a, first], n) => {
      const [b, last] = points[n + 1];
      return [(a + b) / 2, first.map((share, k) => (share + last[k]) / 2), b - a];
    }).reduce((best, next) => (next[1][i] * Math.min(1, next[2]) > best[1][i] * Math.min(1, best[2]) ? next : best));
    if (shares[i] * this.tall < 16) return;
    const y = this.y(this.borders(shares)[i] - shares[i] / 2);
    Object.assign(context, { textAlign: "center", lineWidth: 3, font: "bold 12px system-ui, sans-serif" });
    Object.assign(context, { strokeStyle: look.dark ? "black" : "white", fillStyle: look.dark ? "white" : "black" });
    const name = `${i === this.speaker ? "▸ " : ""}${this.names[i]}`; // whose share the arrow keys change
    context.strokeText(name, this.x(s), y);
    context.fillText(name, this.x(s), y);
  }

  paintSilence(context, start, end, look) {
    context.save();
    context.beginPath();
    context.rect(this.x(start), EDGE.top, this.x(end) - this.x(start), this.tall);
    context.clip();
    Object.assign(context, { strokeStyle: look.ink, lineWidth: 1, globalAlpha: 0.45 });
    context.beginPath();
    for (let x = this.x(start) - this.tall; x < this.x(end); x += 8) {
      context.moveTo(x, EDGE.top + this.tall);
      context.lineTo(x + this.tall, EDGE.top);
    }
    context.stroke();
    context.restore();
  }

  paintPoint(context, s, shares, n, look) {
    const chosen = n === this.chosen, x = this.x(s);
    Object.assign(context, { strokeStyle: look.ink, fillStyle: look.ground, lineWidth: chosen ? 2 : 1 });
    context.beginPath();
    context.moveTo(x, EDGE.top);
    context.lineTo(x, EDGE.top + this.tall);
    context.stroke();
    for (const border of this.borders(shares).slice(0, -1)) {
      context.beginPath();
      context.arc(x, this.y(border), chosen ? 5 : 3.5, 0, 7);
      context.fill();
      context.stroke();
    }
  }

  // ---- mouse and touch

  at(event) {
    const box = this.canvas.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top, near: event.pointerType === "touch" ? 2 * NEAR : NEAR };
  }

  pointerdown(event) {
    const at = this.at(event), number = this.pointNear(at);
    if (event.button || number < 0) return;
    this.canvas.setPointerCapture(event.pointerId);
    this.choose(number);
    const borders = this.borders(this.points[number][1]).slice(0, -1), heights = borders.map((b) => Math.abs(this.y(b) - at.y));
    const nearest = Math.min(...heights);
    if (nearest > at.near) this.drag = { kind: "move", number };
    else { // of borders that lie together, the one that can go where the mouse goes is found by its direction
      this.drag = { kind: "border", number, start: at.y, borders: heights.flatMap((h, i) => (h <= nearest + 1 ? [i] : [])) };
    }
  }

  pointermove(event) {
    const at = this.at(event), number = this.pointNear(at);
    if (!this.drag) {
      const onBorder = number >= 0 && this.borders(this.points[number][1]).slice(0, -1).some((b) => Math.abs(this.y(b) - at.y) < at.near);
      this.canvas.style.cursor = number < 0 ? "" : onBorder ? "ns-resize" : "ew-resize";
      return;
    }
    const points = this.model.get("points").map(([s, shares]) => [s, shares]), drag = this.drag;
    drag.moved ||= Math.abs(at.y - (drag.start ?? at.y)) > 2 || drag.kind === "move";
    if (!drag.moved) return;
    if (drag.kind === "move") {
      const least = points[drag.number - 1]?.[0] ?? 0, most = points[drag.number + 1]?.[0] ?? this.duration;
      drag.value = points[drag.number][0] = clamp(this.s(at.x), least, most);
    } else {
      drag.speaker ??= at.y < drag.start ? drag.borders.at(-1) : drag.borders[0];
      const edges = [0, ...this.borders(points[drag.number][1])], along = together(edges, drag.speaker + 1);
      drag.value = clamp(this.share(at.y), edges[along[0] - 1], edges[along.at(-1) + 1]);
      for (const edge of along) edges[edge] = drag.value;
      points[drag.number][1] = edges.slice(1).map((edge, n) => edge - edges[n]);
    }
    this.points = points;
    this.fill();
  }

  pointerup() {
    const drag = this.drag;
    this.drag = null;
    if (drag?.value === undefined) return;
    if (drag.kind === "move") this.move(drag.value);
    else this.model.send({ do: "border", number: drag.number, speaker: drag.speaker, height: +drag.value.toFixed(4) });
  }

  pointercancel() {
    this.drag = null;
    this.points = this.model.get("points");
    this.fill();
  }

  dblclick(event) {
    this.model.send({ do: "add", second: +this.s(this.at(event).x).toFixed(4), snap: this.snap.checked });
  }

  // ---- keys

  keydown(event) {
    const control = event.ctrlKey || event.metaKey, key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const side = { ArrowLeft: -1, ArrowRight: 1 }[key], height = { ArrowDown: -1, ArrowUp: 1 }[key];
    const [second, shares] = this.points[this.chosen];
    const deed = control ? { z: () => this.model.send({ do: event.shiftKey ? "redo" : "undo" }), y: () => this.model.send({ do: "redo" }) }[key]
      : side ? () => (event.altKey ? this.move(second + 0.1 * side) : this.choose(this.chosen + side))
        : height ? () => this.model.send({ do: "share", number: this.chosen, speaker: this.speaker,
          share: +clamp(shares[this.speaker] + 0.05 * height, 0, 1).toFixed(4) })
          : /^[1-9]$/.test(key) && key <= this.names.length ? () => this.pick(+key - 1)
            : { Insert: () => this.insert(), Enter: () => this.insert(), Delete: () => this.delete(), Backspace: () => this.delete() }[key];
    if (!deed) return;
    event.preventDefault();
    deed();
  }

  pick(speaker) {
    this.speaker = speaker;
    this.voice.say(`${this.names[speaker]}: ${Math.round(100 * this.points[this.chosen][1][speaker])} % here`);
    this.refresh();
  }
}

export default {
  render({ model, el }) {
    const mixer = new MixTimeline(model, el);
    return () => mixer.remove();
  },
};
