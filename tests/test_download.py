"""Downloads from a local server that resumes, redirects, truncates, stalls and lies."""

import errno
import hashlib
import http.server
import io
import subprocess
import sys
import threading
import time
import zipfile

import pytest

from svcnb import download as module
from svcnb.download import DownloadError, download, extract

CONTENT = bytes(range(256)) * 40_000  # 10 MB, so that it comes in many blocks
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Handler(http.server.BaseHTTPRequestHandler):
    """Each path misbehaves in its own way; the server counts what was asked."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        kind = self.path.strip("/").split("/")[0]
        self.server.asked.append((kind, self.headers.get("Range")))
        getattr(self, kind)()

    def ranged(self):
        asked = self.headers.get("Range")
        if asked is None or self.headers.get("If-Range", self.server.etag) != self.server.etag:
            return 0
        return int(asked.removeprefix("bytes=").removesuffix("-"))

    def begin(self, start=0, length=None, **headers):
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}")
        length = len(CONTENT) - start if length is None else length
        headers = {"ETag": self.server.etag, "Content_Length": length, **headers}
        for key, value in headers.items():
            if value is not None:
                self.send_header(key.replace("_", "-"), str(value))
        self.end_headers()

    def drop(self):
        self.wfile.flush()
        self.close_connection = True

    def good(self):
        start = self.ranged()
        self.begin(start)
        self.wfile.write(CONTENT[start:])

    def truncates(self):  # breaks off after 3 MB, resumes
        start = self.ranged()
        self.begin(start)
        self.wfile.write(CONTENT[start : start + 3_000_000])
        self.drop()

    def truncates_always(self):  # breaks off at the same place, does not resume
        self.begin()
        self.wfile.write(CONTENT[:3_000_000])
        self.drop()

    def stalls(self):  # says nothing more after 3 MB, resumes
        start = self.ranged()
        self.begin(start)
        self.wfile.write(CONTENT[start : start + 3_000_000])
        self.wfile.flush()
        self.server.patience.wait(5)
        self.drop()

    def redirects(self):
        self.send_response(302)
        self.send_header("Location", "/good/moved")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def circles(self):
        self.send_response(302)
        self.send_header("Location", "/circles")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def other_content(self):
        self.begin()
        self.wfile.write(CONTENT[::-1])

    def other_length(self):
        self.begin(length=5)
        self.wfile.write(b"short")

    def web_page(self):
        self.begin(length=13, Content_Type="text/html; charset=utf-8")
        self.wfile.write(b"<p>log in</p>")

    def other_part(self):  # resumes, but elsewhere
        start = self.ranged()
        self.begin(start and start + 7)
        self.wfile.write(CONTENT[start:])

    def empty(self):
        self.begin(length=0)

    def says_no_length(self):
        self.begin(Content_Length=None, Connection="close")
        self.wfile.write(CONTENT)
        self.drop()

    def missing(self):
        self.send_error(404)

    def resumes_nothing(self):  # does not know ranges
        self.begin()
        self.wfile.write(CONTENT)


@pytest.fixture(scope="module")
def server():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads, server.patience = True, threading.Event()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.patience.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def url(server, monkeypatch):
    monkeypatch.setattr(module, "TIMEOUT", 3)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server.asked, server.etag = [], '"one"'
    return lambda kind: f"http://127.0.0.1:{server.server_port}/{kind}"


def leftovers(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_whole_file_comes_with_progress(url, tmp_path):
    seen = []
    path = download([url("good")], tmp_path / "new" / "file", SHA256, len(CONTENT), lambda *now: seen.append(now))
    assert path.read_bytes() == CONTENT
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert leftovers(path.parent) == ["file"]


@pytest.mark.parametrize("sha256", [SHA256, None])
@pytest.mark.parametrize("kind", ["truncates", "stalls"])
def test_what_breaks_off_is_resumed(server, url, tmp_path, monkeypatch, kind, sha256):
    monkeypatch.setattr(module, "TIMEOUT", 0.4)
    path = download([url(kind)], tmp_path / "file", sha256)
    assert path.read_bytes() == CONTENT
    asked = [wanted for _, wanted in server.asked]
    assert asked[0] is None
    assert len(asked) >= 4
    assert int(asked[-1][6:-1]) >= 9_000_000


def test_a_later_call_goes_on_where_an_interrupted_one_ended(server, url, tmp_path):
    def interrupt(done, total):
        if done > 4_000_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        download([url("good")], tmp_path / "file", None, None, interrupt)
    assert not (tmp_path / "file").exists()
    assert download([url("good")], tmp_path / "file").read_bytes() == CONTENT
    assert int(server.asked[-1][1][6:-1]) > 4_000_000
    assert leftovers(tmp_path) == ["file"]


def test_a_full_disk_is_said_and_what_came_is_kept(server, url, tmp_path, monkeypatch):
    class Disk(io.FileIO):
        """A file on a disk that has room for 3 MB."""

        def write(self, block):
            room = 3_000_000 - self.tell()
            if super().write(block[:room]) < len(block):
                raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(module, "open", Disk, raising=False)
        with pytest.raises(DownloadError, match="file can not be written: the disk is full"):
            download([url("good"), url("good")], tmp_path / "file", SHA256)
    assert len(server.asked) == 1  # another source would be no help
    assert not (tmp_path / "file").exists()
    assert (tmp_path / "file.part").stat().st_size == 3_000_000
    assert download([url("good")], tmp_path / "file", SHA256).read_bytes() == CONTENT
    assert server.asked[-1] == ("good", "bytes=3000000-")


@pytest.mark.parametrize("sha256", [SHA256, None])
def test_a_process_that_is_killed_leaves_a_part_to_go_on_from(server, url, tmp_path, sha256):
    target, part = tmp_path / "file", tmp_path / "file.part"
    code = "import sys; from svcnb.download import download; download([sys.argv[1]], sys.argv[2])"
    process = subprocess.Popen([sys.executable, "-c", code, url("stalls"), str(target)])
    for _ in range(600):
        if part.exists() and part.stat().st_size == 3_000_000:
            break
        time.sleep(0.05)
    process.kill()
    assert process.wait() < 0
    assert leftovers(tmp_path) == ["file.part", "file.part.etag"]
    assert download([url("good")], target, sha256).read_bytes() == CONTENT
    assert server.asked[-1] == ("good", "bytes=3000000-")


def test_a_file_that_has_changed_meanwhile_is_not_patched_together(server, url, tmp_path):
    (tmp_path / "file.part").write_bytes(b"x" * 1000)
    (tmp_path / "file.part.etag").write_text('"before"')
    assert download([url("good")], tmp_path / "file").read_bytes() == CONTENT
    (tmp_path / "file.part").write_bytes(b"x" * 1000)  # of which nothing is known
    assert download([url("good")], tmp_path / "file").read_bytes() == CONTENT


def test_a_wrong_part_is_dropped_and_the_file_fetched_anew(url, tmp_path):
    for kind, there in (("good", b"x" * 1000), ("good", CONTENT + b"x"), ("other_part", CONTENT[:1000])):
        (tmp_path / "file.part").write_bytes(there)
        assert download([url(kind)], tmp_path / "file", SHA256).read_bytes() == CONTENT


def test_a_server_that_can_not_resume_sends_all_again(url, tmp_path):
    (tmp_path / "file.part").write_bytes(CONTENT[:1000])
    assert download([url("resumes_nothing")], tmp_path / "file", SHA256).read_bytes() == CONTENT


def test_redirects_are_followed(url, tmp_path):
    assert download([url("redirects")], tmp_path / "file", SHA256).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("other_content", "checksum differs"),
        ("other_length", "has 5 bytes, not 10240000"),
        ("web_page", "a web page came"),
        ("empty", "ended after 0 of"),
        ("missing", "404"),
        ("circles", "302"),
        ("truncates_always", "ended after 3000000 of 10240000 bytes"),
    ],
)
def test_a_lie_keeps_nothing_and_the_next_source_is_asked(url, tmp_path, kind, reason):
    target = tmp_path / "file"
    with pytest.raises(DownloadError, match=reason):
        download([url(kind)], target, SHA256, len(CONTENT))
    assert not target.exists()
    if kind not in ("missing", "circles", "truncates_always", "empty"):
        assert not (tmp_path / "file.part").exists()
    assert download([url(kind), url("good")], target, SHA256, len(CONTENT)).read_bytes() == CONTENT


def test_without_checksum_size_and_length_nothing_is_believed(url, tmp_path):
    with pytest.raises(DownloadError, match="does not say how long"):
        download([url("says_no_length")], tmp_path / "file")
    assert download([url("says_no_length")], tmp_path / "file", SHA256).read_bytes() == CONTENT


def test_no_network_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with pytest.raises(DownloadError, match=r"127\.0\.0\.1:1: Connection refused"):
        download(["http://127.0.0.1:1/file"], tmp_path / "file")


def test_a_folder_that_can_not_be_written_to_is_named(url, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DownloadError, match="can not be written"):
        download([url("good")], tmp_path / "file" / "model", SHA256)


def test_members_come_out_of_an_archive(tmp_path):
    with zipfile.ZipFile(tmp_path / "some.zip", "w") as archive:
        archive.writestr("release/deep/model.pt", "weights")
        archive.writestr("release/model.pt", "better weights")
    extract(tmp_path / "some.zip", {"model.pt": tmp_path / "out" / "net.pt"})
    assert leftovers(tmp_path / "out") == ["net.pt"]
    assert (tmp_path / "out" / "net.pt").read_text() == "better weights"
    with pytest.raises(DownloadError, match=r"no config\.json"):
        extract(tmp_path / "some.zip", {"config.json": tmp_path / "config.json"})
    with pytest.raises(DownloadError, match="no zip"):
        extract(tmp_path / "out" / "net.pt", {"model.pt": tmp_path / "x"})
