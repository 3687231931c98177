"""The stage itself: traits, messages and bytes go both ways, and neither errors nor requests go unseen."""

import anywidget
import pytest
import traitlets as t

SOURCE = """
export default {
  render({ model, el }) {
    const button = document.createElement("button");
    const read = () => { button.textContent = `${model.get("count")} of ${model.get("data").getUint8(1)}`; };
    button.onclick = () => {
      model.set("count", model.get("count") + 1);
      model.save_changes();
      model.send({ pressed: true });
    };
    model.on("change:count change:data", read);
    model.on("msg:custom", (message, buffers) => { el.title = message.title + buffers[0].getUint8(0); });
    read();
    el.append(button);
    return () => { document.title = "gone"; };
  },
};
"""


class Counter(anywidget.AnyWidget):
    _esm = SOURCE
    count = t.Int(1).tag(sync=True)
    data = t.Bytes(b"\1\7").tag(sync=True)

    def __init__(self):
        super().__init__()
        self.on_msg(self.hear)

    def hear(self, _, content, buffers):
        self.data = bytes([0, 9])
        self.send({"title": "pressed "}, [b"\5"])


def test_both_halves_talk(widget_page):
    counter = Counter()
    view = widget_page(counter)
    assert view.root.inner_text() == "1 of 7"
    view.page.get_by_role("button").click()
    view.sync()
    assert view.messages == [{"pressed": True}]
    assert counter.count == 2 and view.root.inner_text() == "2 of 9"
    assert view.root.get_attribute("title") == "pressed 5"


def test_a_module_alone(widget_page, tmp_path):
    module = tmp_path / "counter.js"
    module.write_text(SOURCE)
    view = widget_page(module, {"count": 3, "data": b"\0\4"}, theme="dark")
    assert view.root.inner_text() == "3 of 4"
    view.push(count=5)
    assert view.root.inner_text() == "5 of 4"
    view.page.get_by_role("button").click()
    assert view.state("count") == 6 and view.page.evaluate("outbox.length") == 2
    view.page.evaluate("remove()")
    assert view.page.title() == "gone"


def test_the_theme_reaches_the_page(widget_page):
    ground = "getComputedStyle(document.body).backgroundColor"
    assert widget_page(Counter(), theme="light").page.evaluate(ground) == "rgb(255, 255, 255)"
    assert widget_page(Counter(), theme="dark").page.evaluate(ground) == "rgb(17, 17, 17)"


def test_requests_are_seen(widget_page):
    view = widget_page(Counter())
    view.page.evaluate("fetch('https://example.org/x').catch(() => 0)")
    assert view.asked == ["https://example.org/x"]
    view.asked.clear()


@pytest.mark.parametrize("code", ["throw Error('oh')", "Promise.reject(Error('oh'))"])
def test_errors_are_seen(widget_page, code):
    view = widget_page(Counter())
    view.page.evaluate(f"new Promise(done => {{ setTimeout(done, 20); setTimeout(() => {{ {code} }}) }})")
    assert "oh" in view.page.evaluate("errors.splice(0)")[0]
