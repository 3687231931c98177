"""Widgets by themselves in Debian's Chromium: real mouse and keys, no Jupyter, no network.

def test_it(widget_page):
    widget = PitchEditor(...)                  # the Python half
    view = widget_page(widget, theme="dark")   # its ES module on a page of its own, fed with the widget's traits
    view.page.keyboard.press("ArrowUp")        # a playwright Page
    view.sync()                                # what the page sent goes to Python, what Python changed comes back
    assert view.messages[-1] == {...}          # every message that the page sent, oldest first
    view.screenshot("pitch_editor-dark")       # kept if SVCNB_SHOTS names a folder
"""

import base64
import os
import shutil
import subprocess
from pathlib import Path

import pytest

STAGE = Path(__file__).with_name("stage.html").read_text(encoding="utf-8")
THEMES = {  # some of JupyterLab's CSS variables
    "light": {
        "--jp-layout-color0": "white", "--jp-layout-color1": "white", "--jp-layout-color2": "#eeeeee",
        "--jp-layout-color3": "#bdbdbd", "--jp-border-color1": "#bdbdbd", "--jp-border-color2": "#e0e0e0",
        "--jp-content-font-color1": "rgba(0, 0, 0, .87)", "--jp-content-font-color2": "rgba(0, 0, 0, .54)",
        "--jp-ui-font-color1": "rgba(0, 0, 0, .87)", "--jp-ui-font-color2": "rgba(0, 0, 0, .54)",
        "--jp-brand-color1": "#1976d2", "--jp-error-color1": "#d32f2f",
    },
    "dark": {
        "--jp-layout-color0": "#111111", "--jp-layout-color1": "#212121", "--jp-layout-color2": "#424242",
        "--jp-layout-color3": "#616161", "--jp-border-color1": "#616161", "--jp-border-color2": "#424242",
        "--jp-content-font-color1": "white", "--jp-content-font-color2": "rgba(255, 255, 255, .7)",
        "--jp-ui-font-color1": "white", "--jp-ui-font-color2": "rgba(255, 255, 255, .7)",
        "--jp-brand-color1": "#2196f3", "--jp-error-color1": "#d32f2f",
    },
}  # fmt: skip
DRAWN = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done())))"  # the next frame is
PEAK = """async ([player, take, seconds]) => {
    const { context } = player, meter = new AnalyserNode(context, { fftSize: 2048 }), samples = new Float32Array(2048);
    player.gains[take].connect(meter);
    let peak = 0;
    for (const end = context.currentTime + seconds; context.currentTime < end; ) {
        await new Promise(done => setTimeout(done, 20));
        meter.getFloatTimeDomainData(samples);
        peak = samples.reduce((most, sample) => Math.max(most, Math.abs(sample)), peak);
    }
    return peak;
}"""  # of what one take of a Player plays from now on; the sound's clock counts, not the machine's
FLAGS = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required", "--mute-audio"]
FLAGS += ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]  # a microphone that hears beeps


def chromium() -> str:
    """Where the browser is; skips the test where there is none."""
    found = os.environ.get("SVCNB_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if not found or subprocess.run([found, "--version"], capture_output=True).returncode:  # Ubuntu's is a stub
        pytest.skip("there is no Chromium that runs here: apt-get install chromium, or name one in SVCNB_CHROMIUM")
    return found


@pytest.fixture(scope="module")  # not longer: while playwright runs, no other test can have an event loop
def browser():
    """A headless Chromium that may play sound, mutely."""
    driver = pytest.importorskip("playwright.sync_api", reason="playwright drives the browser: pip install playwright")
    path = chromium()
    with driver.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def widget_page(browser):
    """Function from a widget (or a path of an ES module and `state`) to a `View` of it; errors on the page fail."""
    views = []

    def open_view(widget, state=None, theme="light", width=900, height=700):
        views.append(View(browser, widget, state, theme, width, height))
        return views[-1]

    yield open_view
    for view in views:
        errors, asked = view.page.evaluate("errors"), view.asked
        view.page.context.close()
        assert not errors and not asked, (errors, asked)


class View:
    """A widget on a page of its own."""

    def __init__(self, browser, widget, state, theme, width, height):
        self.widget = None if isinstance(widget, (str, Path)) else widget
        self.messages, self.asked = [], []
        self.page = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=theme, reduced_motion="reduce"
        ).new_page()
        self.page.route("**/*", self._answer)
        self.page.goto("http://localhost/")
        self._wear(theme)
        source, style = (
            (_text(widget), "")
            if self.widget is None
            else (
                _text(widget._esm),
                _text(getattr(widget, "_css", "")),
            )
        )
        self._state = {} if self.widget is None else self._traits()
        self.page.evaluate("([source, style, state]) => show(source, style, state)", [
            source, style, _packed({**self._state, **(state or {})}),
        ])  # fmt: skip
        if self.widget is not None:
            widget.send = self.hear
        self.page.evaluate(DRAWN)

    @property
    def root(self):
        """Locator of the widget's element."""
        return self.page.locator("#root")

    def sync(self):
        """Hand Python what the page sent since the last time, and the page what Python changed; then all is drawn."""
        self.page.evaluate(DRAWN)  # a mouse that only moves is noticed once a frame
        for message in self.page.evaluate("outbox.splice(0)"):
            if "content" in message:
                self.messages.append(message["content"])
                if self.widget is not None:
                    self.widget._handle_custom_msg(message["content"], [])
            elif self.widget is not None:
                self.widget.set_state(message["state"])
                self._state.update({name: self._traits()[name] for name in message["state"]})
        if self.widget is not None:
            now = self._traits()
            self.push(**{name: value for name, value in now.items() if value != self._state.get(name)})
            self._state = now
        self.page.evaluate(DRAWN)
        return self

    def push(self, **state):
        """Traits as if Python had set them."""
        if state:
            self.page.evaluate("state => model.receive(state)", _packed(state))

    def hear(self, content, buffers=None):
        """A custom message as if Python had sent it."""
        texts = [base64.b64encode(bytes(buffer)).decode() for buffer in buffers or ()]
        self.page.evaluate("([content, buffers]) => model.hear(content, buffers)", [content, texts])

    def peak(self, player, take, seconds=0.2):
        """The greatest sample of a take in the next seconds that its Player, named in JavaScript, plays."""
        return self.page.evaluate(PEAK, [self.page.evaluate_handle(player), take, seconds])

    def state(self, name):
        """A trait as the page has it; not for bytes."""
        return self.page.evaluate("name => model.get(name)", name)

    def screenshot(self, name):
        """Keep a picture of the widget as <name>.png in the folder that SVCNB_SHOTS names, if it does."""
        if folder := os.environ.get("SVCNB_SHOTS"):
            self.page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)

    def _traits(self):
        """What ipywidgets would send of the widget."""
        hidden = {"_esm", "_css", "layout", "tabbable", "tooltip", "comm"}
        state = self.widget.get_state()
        return {name: state[name] for name in state if name not in hidden and not name.startswith(("_model", "_view"))}

    def _wear(self, theme):
        self.page.evaluate("""([theme, names]) => {
            document.body.dataset.jpThemeLight = theme === 'light';
            for (const [name, value] of Object.entries(names)) document.body.style.setProperty(name, value);
        }""", [theme, THEMES[theme]])  # fmt: skip

    def _answer(self, route):
        if route.request.url == "http://localhost/":
            return route.fulfill(body=STAGE, content_type="text/html")
        if route.request.url.startswith(("blob:", "data:")):
            return route.continue_()
        if not route.request.url.endswith("favicon.ico"):
            self.asked.append(route.request.url)  # widgets live without a network
        return route.abort()


def _text(source):
    return source.read_text(encoding="utf-8") if isinstance(source, Path) else str(source)


def _packed(value):
    """Bytes, in lists and dictionaries too, become what the stage opens as a DataView, as ipywidgets does."""
    if isinstance(value, (bytes, memoryview)):
        return {"base64": base64.b64encode(bytes(value)).decode()}
    if isinstance(value, dict):
        return {name: _packed(part) for name, part in value.items()}
    return [_packed(part) for part in value] if isinstance(value, (list, tuple)) else value
