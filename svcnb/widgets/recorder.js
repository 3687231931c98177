// Recorder: the microphone's sound as it is, without what browsers do to speech; a wav file goes to Python in parts.

const PART = 192 * 1024; // bytes in a message
const AS_IT_IS = { echoCancellation: false, noiseSuppression: false, autoGainControl: false, channelCount: 1 };
const TAP = `registerProcessor("tap", class extends AudioWorkletProcessor {
  process([input]) { if (input[0]) this.port.postMessage(input[0].slice()); return true; }
});`;

class Recorder {
  constructor(model, el) {
    Object.assign(this, { model, el });
    this.build();
    const leave = stage(el, "Recorder"), listed = () => this.list();
    model.on("change:kept", listed);
    this.list();
    this.remove = () => {
      model.off("change:kept", listed);
      for (const end of [leave, this.voice.quiet, () => this.stop(), () => this.forget()]) end();
    };
  }

  // ---- what is on the page

  build() {
    this.recording = button("● Record", "Record with the microphone", () => (this.stream ? this.stop() : this.record()));
    this.keeping = button("✓ Keep", "Keep this recording for the course", () => this.send("take.wav", this.blob));
    able(this.keeping, false);
    this.level = make("meter", { min: 0, max: 1, high: 0.9, "aria-label": "Level", style: "width: 160px" });
    this.clock = make("span", { role: "timer" });
    this.file = make("input", { type: "file", accept: "audio/*", multiple: true, "aria-label": "Choose sound files", change: () => this.choose() });
    this.player = make("audio", { controls: true, "aria-label": "What was recorded", hidden: true });
    this.names = make("div", {});
    this.voice = speaker(this.model);
    this.el.append(
      make("div", { className: "svcnb-bar" }, group("Recording", this.recording, this.keeping), this.level, this.clock),
      make("div", { className: "svcnb-bar" }, make("label", {}, "or choose files: ", this.file)),
      this.player, this.names, this.voice.said);
    this.recording.recorder = this;
  }

  list() {
    const kept = this.model.get("kept");
    this.names.textContent = kept.length ? `Kept: ${kept.join(", ")}` : "Nothing is kept yet.";
  }

  // ---- recording

  async record() {
    this.blocks = [];
    able(this.recording, false); // while the browser asks
    try {
      this.stream = await navigator.mediaDevices.getUserMedia({ audio: AS_IT_IS });
    } catch {
      able(this.recording, true);
      return this.voice.say("There is no microphone for this page: allow it beside the address, or choose a file.");
    }
    this.context = new AudioContext();
    const address = URL.createObjectURL(new Blob([TAP], { type: "text/javascript" }));
    await this.context.audioWorklet.addModule(address);
    URL.revokeObjectURL(address);
    this.tap = new AudioWorkletNode(this.context, "tap", { numberOfOutputs: 0 });
    this.tap.port.onmessage = ({ data }) => this.hear(data);
    this.context.createMediaStreamSource(this.stream).connect(this.tap);
    able(this.recording, true);
    this.recording.textContent = "■ Stop";
    this.recording.setAttribute("aria-pressed", true);
    this.voice.say("Recording.");
  }

  hear(block) {
    this.blocks.push(block);
    if (this.blocks.length % 16) return;
    const recent = this.blocks.slice(-16);
    this.level.value = Math.max(...recent.map((samples) => samples.reduce((most, x) => Math.max(most, Math.abs(x)), 0)));
    this.clock.textContent = `${((this.blocks.length * block.length) / this.context.sampleRate).toFixed(1)} s`;
  }

  stop() {
    if (!this.context) return;
    this.tap.port.onmessage = null; // some of the sound may still be on its way
    for (const track of this.stream.getTracks()) track.stop();
    const rate = this.context.sampleRate;
    this.context.close();
    this.stream = this.context = undefined;
    this.recording.textContent = "● Record";
    this.recording.setAttribute("aria-pressed", false);
    this.level.value = 0;
    this.forget();
    this.blob = wave(this.blocks, rate);
    this.player.src = URL.createObjectURL(this.blob);
    this.player.hidden = false;
    able(this.keeping, this.blocks.length);
    this.voice.say("Listen to it; then keep it, or record again.");
  }

  forget() {
    if (this.player.src) URL.revokeObjectURL(this.player.src);
  }

  // ---- to Python

  async choose() {
    for (const file of this.file.files) await this.send(file.name, file);
    this.file.value = "";
  }

  async send(name, blob) {
    able(this.keeping, false);
    const of = Math.max(1, Math.ceil(blob.size / PART));
    for (let part = 0; part < of; part++) {
      const data = await base64(blob.slice(part * PART, (part + 1) * PART));
      this.model.send({ do: "take", name, part, of, data });
    }
  }
}

/** A 16-bit wav file of blocks of samples. */
function wave(blocks, rate) {
  const length = blocks.reduce((sum, block) => sum + block.length, 0);
  const view = new DataView(new ArrayBuffer(44 + 2 * length));
  const text = (at, letters) => [...letters].forEach((letter, i) => view.setUint8(at + i, letter.charCodeAt(0)));
  text(0, "RIFF");
  view.setUint32(4, 36 + 2 * length, true);
  text(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true); // PCM
  view.setUint16(22, 1, true); // one channel
  view.setUint32(24, rate, true);
  view.setUint32(28, 2 * rate, true);
  view.setUint16(32, 2, true);
  view.setUint16(34, 16, true);
  text(36, "data");
  view.setUint32(40, 2 * length, true);
  let at = 44;
  for (const block of blocks) for (const x of block) view.setInt16((at += 2) - 2, Math.round(32767 * clamp(x, -1, 1)), true);
  return new Blob([view.buffer], { type: "audio/wav" });
}

/** Bytes as text. */
function base64(blob) {
  return new Promise((done) => {
    const reader = new FileReader();
    reader.onload = () => done(reader.result.split(",")[1] ?? "");
    reader.readAsDataURL(blob);
  });
}

export default {
  render({ model, el }) {
    const recorder = new Recorder(model, el);
    return () => recorder.remove();
  },
};
