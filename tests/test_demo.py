import re

import soundfile

from svcnb import demo, lesson


def test_the_demo_converts_and_scores(tmp_path, monkeypatch):
    monkeypatch.setattr(demo, "SONG", "vowels")
    text = "\n".join(demo.run(tmp_path))
    before, after = (float(x) for x in re.search(r"F0 error in cents +([\d.]+) +([\d.]+)", text).groups())
    assert before > 100 * abs(lesson.semitones(demo.SOURCE, demo.TARGET)) - 20 and after < 20
    before, after = (float(x) for x in re.search(r"mel distance +([\d.]+) +([\d.]+)", text).groups())
    assert after < before
    lengths = {soundfile.info(tmp_path / name).frames for name in ("demo.wav", "demo-source.wav", "demo-target.wav")}
    assert len(lengths) == 1
    assert (tmp_path / "demo.png").stat().st_size > 10_000
