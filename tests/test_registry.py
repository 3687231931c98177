"""The table of downloads: what it says, where files are looked for, and what is said when one can not be had."""

import hashlib
import http.server
import io
import re
import subprocess
import sys
import threading
import time
import zipfile
from urllib.parse import urlparse

import pytest

from svcnb import encoders, f0, registry
from svcnb.registry import DownloadError, Entry

ENCODERS = [  # of the original
    "vec768l12", "vec256l9", "vec256l9-onnx", "vec256l12-onnx", "vec768l9-onnx", "vec768l12-onnx", "hubertsoft",
    "hubertsoft-onnx", "whisper-ppg", "whisper-ppg-large", "cnhubertlarge", "dphubert", "wavlmbase+",
]  # fmt: skip
PREDICTORS = ["crepe", "dio", "pm", "harvest", "rmvpe", "fcpe"]

WEIGHTS = b"weights" * 1000
ARCHIVE = io.BytesIO()
with zipfile.ZipFile(ARCHIVE, "w") as archive:
    archive.writestr("release/nsf/model", WEIGHTS)
    archive.writestr("release/nsf/config.json", "{}")


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        self.server.asked += 1
        time.sleep(self.server.slow)
        content = ARCHIVE.getvalue() if self.path.endswith(".zip") else WEIGHTS
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@pytest.fixture
def server(monkeypatch):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.asked, server.slow, server.url = 0, 0, f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """An empty cache and an empty working folder."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("SVCNB_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def enter(monkeypatch, url, sha256=None, **options):
    monkeypatch.setitem(registry.TABLE, "thing", Entry("thing.pt", "a test", "ours", (url,), sha256, **options))


def test_every_row_is_complete():
    files = [entry.file for entry in registry.TABLE.values()]
    assert len(set(files)) == len(files)
    for name, entry in registry.TABLE.items():
        assert re.fullmatch(r"[a-z0-9-]+", name)
        assert entry.urls
        assert entry.needed_for
        assert entry.licence
        for url in entry.urls:
            assert urlparse(url).scheme == "https"
        assert entry.sha256 is None or re.fullmatch(r"[0-9a-f]{64}", entry.sha256)
        if entry.unpack:
            assert next(iter(entry.unpack.values())) == entry.file


def test_every_encoder_knows_its_file():
    for name, row in encoders.TABLE.items():
        assert row.file is None or name in registry.TABLE[row.file].needed_for


@pytest.mark.parametrize("name", ENCODERS)
def test_each_of_the_originals_encoders_opens_the_file_that_is_found(home, name):
    """A file of something else lies where downloads go, and is refused by the encoder, by its name."""
    path = home / registry.TABLE[encoders.TABLE[name].file].file
    path.parent.mkdir(parents=True)
    path.write_bytes(WEIGHTS)
    with pytest.raises(ValueError, match=re.escape(str(path))):
        encoders.get(name, device="cpu")


def test_each_of_the_originals_predictors_opens_and_only_rmvpe_is_a_download(home):
    home.mkdir()
    (home / "rmvpe.pt").write_bytes(WEIGHTS)
    for name in PREDICTORS:
        if name == "rmvpe":
            with pytest.raises(ValueError, match=re.escape(str(home / "rmvpe.pt"))):
                f0.get(name, device="cpu")
        else:
            assert isinstance(f0.get(name, device="cpu"), f0.Predictor)


def test_files_are_looked_for_in_the_cache_and_in_pretrain(home, tmp_path):
    assert registry.here("contentvec") is None
    other = tmp_path / "work" / "pretrain" / "checkpoint_best_legacy_500.pt"
    other.parent.mkdir()
    other.write_bytes(WEIGHTS)
    assert registry.find("contentvec").samefile(other)
    home.mkdir()
    (home / "hubert_base.pt").write_bytes(WEIGHTS)
    assert registry.find("contentvec") == home / "hubert_base.pt"


def test_a_file_is_downloaded_once(server, home, monkeypatch):
    enter(monkeypatch, f"{server.url}/thing.pt", hashlib.sha256(WEIGHTS).hexdigest())
    seen = []
    assert registry.fetch("thing", lambda *now: seen.append(now)) == home / "thing.pt"
    assert seen[-1] == (len(WEIGHTS), len(WEIGHTS))
    assert registry.fetch("thing").read_bytes() == WEIGHTS
    assert server.asked == 1


def test_several_who_want_a_file_at_once_share_one_download(server, monkeypatch):
    enter(monkeypatch, f"{server.url}/thing.pt", hashlib.sha256(WEIGHTS).hexdigest())
    found = []
    threads = [threading.Thread(target=lambda: found.append(registry.fetch("thing").read_bytes())) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [WEIGHTS] * 5
    assert server.asked == 1


def test_two_processes_that_want_a_file_at_once_share_one_download(server, home):
    server.slow = 1
    code = f"""
import sys
from svcnb import registry
registry.TABLE["thing"] = registry.Entry("thing.pt", "a test", "ours", ("{server.url}/thing.pt",))
print("ready", flush=True)
sys.stdin.readline()
sys.exit(registry.fetch("thing").stat().st_size != {len(WEIGHTS)})
"""
    pipes = dict(stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    processes = [subprocess.Popen([sys.executable, "-c", code], **pipes) for _ in range(2)]
    assert [process.stdout.readline() for process in processes] == ["ready\n"] * 2
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        process.communicate()
    assert [process.returncode for process in processes] == [0, 0]
    assert server.asked == 1
    assert (home / "thing.pt").read_bytes() == WEIGHTS


def test_an_archive_is_unpacked(server, home, monkeypatch):
    unpack = {"nsf/model": "thing.pt", "nsf/config.json": "config.json"}
    enter(monkeypatch, f"{server.url}/thing.zip", unpack=unpack)
    assert registry.fetch("thing").read_bytes() == WEIGHTS
    assert (home / "config.json").read_text() == "{}"
    assert not list(home.glob("*.zip"))
    (home / "config.json").unlink()
    assert registry.here("thing") is None


def test_a_wrong_checksum_keeps_nothing(server, home, monkeypatch):
    enter(monkeypatch, f"{server.url}/thing.pt", "0" * 64)
    with pytest.raises(DownloadError, match="checksum differs"):
        registry.fetch("thing")
    assert [path.name for path in home.iterdir() if path.suffix != ".lock"] == []


def test_without_a_network_one_sentence_says_what_to_do_by_hand(home, monkeypatch):
    enter(monkeypatch, "http://127.0.0.1:1/thing.pt")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    for error in (
        pytest.raises(DownloadError, match=r"thing\.pt could not be downloaded"),
        pytest.raises(DownloadError, match=re.escape(f"put it at {home / 'thing.pt'}.")),
        pytest.raises(DownloadError, match=r"get it from http://127\.0\.0\.1:1/thing\.pt"),
    ):
        with error as raised:
            registry.fetch("thing")
        assert "\n" not in str(raised.value)
    with pytest.raises(DownloadError, match="not on this machine"):
        registry.find("thing")


def test_an_encoder_without_its_file_says_where_to_get_it(home, monkeypatch):
    entry = registry.TABLE["hubert-soft"]
    offline = Entry(entry.file, entry.needed_for, entry.licence, ("http://127.0.0.1:1/hubert-soft.pt",))
    monkeypatch.setitem(registry.TABLE, "hubert-soft", offline)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with pytest.raises(DownloadError, match=r"hubert-soft-0d54a1f4\.pt could not be downloaded"):
        encoders.get("hubertsoft")


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(DownloadError, match="did you mean 'rmvpe'"):
        registry.find("rmpve")
