"""A person's path in JupyterLab: open notebook 05, run it, drag the curve, convert again, hear it. About a minute."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import nbformat
import pytest

pytest.importorskip("jupyterlab", reason="this needs JupyterLab: pip install jupyterlab")

NOTEBOOK = Path(__file__).parents[2] / "notebooks/05_infer.ipynb"
SETTINGS = {  # cells out of sight are drawn too, and nothing asks or pops up
    "notebook-extension/tracker": '{"windowingMode": "none"}',
    "apputils-extension/notification": '{"fetchNews": "false", "checkForUpdates": false}',
}
EDITOR = "canvas[aria-roledescription='pitch curve']"
ASK = """async code => {
    const kernel = window.jupyterapp.shell.currentWidget.context.sessionContext.session.kernel;
    const future = kernel.requestExecute({ code }), said = [];
    future.onIOPub = message => said.push(message.content.text ?? message.content.evalue ?? "");
    await future.done;
    return said.join("");
}"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """Address of a JupyterLab that serves a copy of the notebook without its outputs."""
    home = tmp_path_factory.mktemp("lab")
    notebook = nbformat.read(NOTEBOOK, 4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    nbformat.write(notebook, home / NOTEBOOK.name)
    for name, text in SETTINGS.items():
        file = home / f"settings/@jupyterlab/{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={port}",
        "--IdentityProvider.token=t", f"--ServerApp.root_dir={home}", "--LabApp.expose_app_in_browser=True",
    ]  # fmt: skip
    own = {"SVCNB_FAST": "1", "JUPYTERLAB_SETTINGS_DIR": home / "settings", "JUPYTER_CONFIG_DIR": home / "config",
           "JUPYTER_RUNTIME_DIR": home / "runtime", "IPYTHONDIR": home / "ipython",
           "JUPYTERLAB_WORKSPACES_DIR": home / "workspaces"}  # fmt: skip
    with open(home / "lab.log", "w") as log:
        server = subprocess.Popen(command, env=os.environ | {k: str(v) for k, v in own.items()}, stdout=log, stderr=log)
        try:
            yield _ready(f"http://127.0.0.1:{port}", home / "lab.log")
        finally:
            server.terminate()
            server.wait(20)


def _ready(address, log):
    for _ in range(120):
        try:
            urllib.request.urlopen(f"{address}/api?token=t")
            return address
        except OSError:
            time.sleep(0.25)
    raise AssertionError(log.read_text()[-2000:])


@pytest.fixture
def page(browser, lab):
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.set_default_timeout(180_000)
    page.goto(f"{lab}/lab/tree/{NOTEBOOK.name}?token=t&reset")
    page.get_by_text("Python 3 (ipykernel) | Idle").wait_for()  # earlier, what is run is lost
    yield page
    page.context.close()


def cell(page, text):
    """The code cell that holds some text."""
    return page.locator(".jp-CodeCell").filter(has_text=text).first


def run(page, text):
    """Click a cell, press Shift+Enter, wait until it has run anew."""
    before = cell(page, text).locator(".jp-InputPrompt").inner_text()
    cell(page, text).locator(".cm-content").click()
    page.keyboard.press("Shift+Enter")
    page.wait_for_function(
        "([cell, before]) => /\\d/.test(cell.textContent) && cell.textContent !== before",
        arg=[cell(page, text).locator(".jp-InputPrompt").element_handle(), before],
    )


def test_open_run_drag_convert_hear(page):
    page.evaluate("window.jupyterapp.commands.execute('notebook:run-all-cells')")
    page.get_by_text("notebook 05 ok").last.wait_for()
    assert not page.locator(".jp-OutputArea-output[data-mime-type='application/vnd.jupyter.error']").count()

    # Drag the second of two places on the curve up.
    canvas = page.locator(EDITOR)
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    x, y, higher = canvas.evaluate("""canvas => {
        const e = canvas.editor, i = e.hz.findIndex((hz, n) => hz > 0 && n > 2 * e.rate);
        return [e.x(i / e.rate), e.y(e.hz[i]), e.y(e.hz[i] * 2 ** (3 / 12))];
    }""")
    before = float(page.evaluate(ASK, "print(np.median(editor.f0.hz[editor.f0.voiced][100:200]))"))
    page.mouse.move(box["x"] + x, box["y"] + y)
    page.mouse.down()
    page.mouse.move(box["x"] + x, box["y"] + higher, steps=8)
    page.mouse.up()
    page.get_by_text("Shifted by +").first.wait_for()
    after = float(page.evaluate(ASK, "print(np.median(editor.f0.hz[editor.f0.voiced][100:200]))"))
    assert after / before == pytest.approx(2 ** (3 / 12), rel=0.02)

    # Keys that mean something to JupyterLab are the editor's while it has the focus.
    cells = page.locator(".jp-Cell").count()
    canvas.focus()
    page.keyboard.press("b")
    page.get_by_text("Vibrato of 5.5 Hz").first.wait_for()
    assert page.locator(".jp-Cell").count() == cells

    # Convert and hear: the curve goes into the song.
    run(page, "edited = converter.convert(excerpt")
    assert "✓ the singer follows your melody" in cell(page, "edited = converter.convert(excerpt").inner_text()
    run(page, "versions = Compare")
    heard = cell(page, "versions = Compare").locator("canvas")
    heard.scroll_into_view_if_needed()
    cell(page, "versions = Compare").get_by_role("button", name="Play from the cursor").click()
    page.keyboard.press("2")
    peak = heard.evaluate("""async canvas => {
        const player = canvas.compare.player;
        while (!player.gains) await new Promise(done => setTimeout(done, 20));
        const meter = new AnalyserNode(player.context, { fftSize: 2048 }), samples = new Float32Array(2048);
        player.gains[1].connect(meter);
        let peak = 0;
        for (let n = 0; n < 60; n++) {
            await new Promise(done => setTimeout(done, 25));
            meter.getFloatTimeDomainData(samples);
            peak = samples.reduce((most, sample) => Math.max(most, Math.abs(sample)), peak);
        }
        return peak;
    }""")
    assert peak > 0.02

    # The panel sings five seconds of what is asked of it.
    asking = cell(page, "panel = ConvertPanel")
    asking.get_by_label("semitones", exact=True).fill("7")
    asking.get_by_role("button", name="Convert and hear").click()
    strip = asking.locator("canvas")
    page.wait_for_function("canvas => canvas.panel.player.playing", arg=strip.element_handle())
    assert "'semitones': 7" in page.evaluate(ASK, "print(panel.options, len(panel.heard.audio))")

    # The plain players play, too.
    played = page.locator("audio").first.evaluate("""async audio => {
        const file = await (await fetch(audio.src)).arrayBuffer();
        const sound = await new OfflineAudioContext(1, 1, 44100).decodeAudioData(file);
        await audio.play();
        while (audio.currentTime < 0.3 && !audio.ended) await new Promise(done => setTimeout(done, 20));
        audio.pause();
        return [audio.currentTime, sound.getChannelData(0).reduce((most, s) => Math.max(most, Math.abs(s)), 0)];
    }""")
    assert played[0] > 0.2 and played[1] > 0.05

    if folder := os.environ.get("SVCNB_SHOTS"):
        for name, place in (("lab-editor", canvas), ("lab-compare", heard), ("lab-panel", strip)):
            place.scroll_into_view_if_needed()
            page.screenshot(path=Path(folder) / f"{name}.png")
