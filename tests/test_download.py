"""Downloads against a server on this machine that fails in all the ways servers do."""

import errno
import hashlib
import http.server
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from email.utils import formatdate
from pathlib import Path

import httpx
import pytest

from everyid import download as module
from everyid import store
from everyid.download import download
from everyid.errors import InputError, OutputError, WeightsError
from everyid.settings import PROJECT_FOLDER
from everyid.store import claimed, sha256_of

BODY = bytes(range(256)) * 1200
SHA256 = hashlib.sha256(BODY).hexdigest()
HALF = len(BODY) // 2


@dataclass
class FaultyServer:
    """A web server that answers each request as the next word of its plan says."""

    plan: list[str] = field(default_factory=list)
    etag: str | None = '"one"'
    headers: list[dict[str, str]] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/file.bin"

    @property
    def ranges(self) -> list[str | None]:
        return [headers.get("Range") for headers in self.headers]


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers by the plan of its ``state``: a status, or what happens to the body."""

    state: FaultyServer

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        state = self.state
        state.headers.append(dict(self.headers))
        step = state.plan.pop(0) if state.plan else "ok"
        if step[0].isdigit():
            self.refuse(*step.split("|"))
        else:
            self.serve(step)

    def refuse(self, status: str, *headers: str) -> None:
        self.send_response(int(status))
        for header in headers:
            self.send_header(*header.split("=", 1))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def serve(self, step: str) -> None:
        state = self.state
        asked = self.headers.get("Range") if step != "ignore-range" else None
        if "If-Range" in self.headers and self.headers["If-Range"] != state.etag:
            asked = None
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
        if start >= len(BODY):
            self.refuse("416")
            return
        body = {"wrong": BODY[::-1], "short": BODY[:100], "long": BODY + b"x"}.get(step, BODY)
        self.send_response(206 if asked else 200)
        if asked:
            shift = 1 if step == "shifted" else 0
            self.send_header("Content-Range", f"bytes {start + shift}-{len(body) - 1}/{len(body)}")
        if state.etag:
            self.send_header("ETag", state.etag)
        if step == "html":
            self.send_header("Content-Type", "text/html; charset=utf-8")
        if step == "gzip":
            self.send_header("Content-Encoding", "gzip")
        if step not in ("no-length", "no-length-cut", "no-length-long"):
            self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        self.send_body(step, body[start:])

    def send_body(self, step: str, body: bytes) -> None:
        if step in ("cut", "no-length-cut"):
            self.wfile.write(body[: len(body) // 2])
        elif step == "stall":
            self.wfile.write(body[: len(body) // 2])
            self.wfile.flush()
            self.state.released.wait(20)
        elif step == "slow":
            for at in range(0, len(body), len(body) // 8):
                self.wfile.write(body[at : at + len(body) // 8])
                time.sleep(0.1)
        elif step == "no-length-long":
            self.wfile.write(body + body)
        else:
            self.wfile.write(body)


class QuietServer(http.server.ThreadingHTTPServer):
    """A server that takes a client that hangs up as a matter of course."""

    def handle_error(self, request: object, client_address: object) -> None:
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


@pytest.fixture
def server():
    state = FaultyServer()
    handler = type("BoundHandler", (Handler,), {"state": state})
    with QuietServer(("127.0.0.1", 0), handler) as running:
        state.port = running.server_address[1]
        thread = threading.Thread(target=running.serve_forever, args=(0.02,))
        thread.start()
        yield state
        state.released.set()
        running.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch):
    monkeypatch.setattr(module, "BACKOFF_S", 0.01)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "file.bin"


def pinned(server: FaultyServer, path: Path) -> str:
    return download(server.url, path, sha256=SHA256, size_bytes=len(BODY))


def leave_part(path: Path, content: bytes, *, url: str = "", etag: str | None = None) -> None:
    path.with_name(f".{path.name}.part").write_bytes(content)
    note = module._PartNote(url=url, etag=etag)
    path.with_name(f".{path.name}.part.json").write_text(note.model_dump_json())


def only_the_file(path: Path) -> bool:
    return path.read_bytes() == BODY and [p.name for p in path.parent.iterdir()] == [path.name]


def test_a_plain_download_lands_whole_and_alone(server, path):
    assert pinned(server, path) == SHA256
    assert only_the_file(path)
    assert server.ranges == [None]
    assert server.headers[0]["Accept-Encoding"] == "identity"


def test_without_a_checksum_it_returns_the_one_found(server, path):
    assert download(server.url, path) == SHA256
    assert only_the_file(path)


@pytest.mark.parametrize("status", ["401", "403", "404", "410"])
def test_a_refusal_is_not_tried_again(server, path, status):
    server.plan = [status]
    with pytest.raises(WeightsError, match=f"HTTP {status}"):
        pinned(server, path)
    assert len(server.headers) == 1
    assert list(path.parent.iterdir()) == []


@pytest.mark.parametrize(
    "plan",
    [
        ["500"],
        ["503", "502"],
        ["429|Retry-After=0"],
        ["429|Retry-After=" + formatdate(0, usegmt=True)],
        ["429|Retry-After=soon"],
        ["cut"],
        ["no-length-cut"],
        ["cut", "500"],
        ["cut", "ignore-range"],
        ["cut", "shifted"],
    ],
)
def test_what_passes_is_tried_again(server, path, plan):
    server.plan = list(plan)
    pinned(server, path)
    assert only_the_file(path)
    assert len(server.headers) <= len(plan) + 1


def test_it_gives_up_after_three_tries(server, path):
    server.plan = ["500", "500", "500", "ok"]
    with pytest.raises(WeightsError, match=r"HTTP 500 .*tried 3 times"):
        pinned(server, path)
    assert len(server.headers) == 3


def test_retry_after_is_waited_for(server, path, monkeypatch):
    pauses: list[float] = []
    monkeypatch.setattr(module.time, "sleep", pauses.append)
    server.plan = ["429|Retry-After=7", "503"]
    pinned(server, path)
    assert pauses == [7.0, 0.02]


def test_a_long_retry_after_is_not_waited_for(server, path):
    server.plan = ["429|Retry-After=3600"]
    with pytest.raises(WeightsError, match="HTTP 429 Too Many Requests, asks to wait 3600 s"):
        pinned(server, path)
    assert len(server.headers) == 1


def test_a_cut_connection_goes_on_where_it_was_cut(server, path):
    server.plan = ["cut"]
    pinned(server, path)
    assert only_the_file(path)
    assert server.ranges == [None, f"bytes={HALF}-"]
    assert server.headers[1]["If-Range"] == '"one"'


def test_a_part_of_a_changed_file_starts_anew(server, path):
    leave_part(path, b"old" * 100, url=server.url, etag='"zero"')
    assert download(server.url, path) == SHA256
    assert only_the_file(path)
    assert server.headers[0]["If-Range"] == '"zero"'


@pytest.mark.parametrize("etag", [None, 'W/"weak"'])
def test_without_etag_and_checksum_nothing_is_resumed(server, path, etag):
    leave_part(path, BODY[:HALF], url=server.url, etag=etag)
    assert download(server.url, path) == SHA256
    assert server.ranges == [None]


def test_with_a_checksum_the_part_of_another_url_is_used(server, path):
    leave_part(path, BODY[:HALF], url="http://127.0.0.1:1/other", etag='"other"')
    pinned(server, path)
    assert server.ranges == [f"bytes={HALF}-"]
    assert "If-Range" not in server.headers[0]
    assert only_the_file(path)


def test_a_bad_part_is_thrown_away_and_the_whole_fetched(server, path):
    leave_part(path, b"\0" * HALF)
    pinned(server, path)
    assert server.ranges == [f"bytes={HALF}-", None]
    assert only_the_file(path)


def test_a_complete_part_needs_no_server(path):
    leave_part(path, BODY)
    download("http://127.0.0.1:1/", path, sha256=SHA256, size_bytes=len(BODY))
    assert only_the_file(path)


def test_a_part_that_is_too_long_starts_anew(server, path):
    leave_part(path, BODY + b"x")
    pinned(server, path)
    assert server.ranges == [None]


def test_a_range_that_the_server_does_not_have_starts_anew(server, path):
    leave_part(path, BODY, url=server.url, etag='"one"')
    assert download(server.url, path) == SHA256
    assert server.ranges == [f"bytes={len(BODY)}-", None]


def test_an_unreadable_note_is_no_note(server, path):
    leave_part(path, BODY[:HALF])
    path.with_name(".file.bin.part.json").write_text("{")
    pinned(server, path)
    assert only_the_file(path)


def test_a_wrong_hash_says_expected_and_got_and_removes_the_part(server, path):
    path.write_bytes(b"what was there")
    server.plan = ["wrong"]
    wrong = hashlib.sha256(BODY[::-1]).hexdigest()
    with pytest.raises(WeightsError, match=f"expected sha256 {SHA256}, got {wrong}"):
        pinned(server, path)
    assert path.read_bytes() == b"what was there"
    assert [p.name for p in path.parent.iterdir()] == [path.name]
    assert len(server.headers) == 1


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ("short", "expected 307,200 bytes, the server has 100"),
        ("long", "expected 307,200 bytes, the server has 307,201"),
        ("no-length-long", "expected 307,200 bytes, the server sends more"),
        ("html", "the answer is a web page, not the file"),
        ("gzip", "the server compresses the file"),
    ],
)
def test_another_file_than_the_one_wanted_is_refused(server, path, step, message):
    server.plan = [step]
    with pytest.raises(WeightsError, match=message):
        pinned(server, path)
    assert list(path.parent.iterdir()) == []


def test_without_length_and_checksum_nothing_tells_the_end(server, path):
    server.plan = ["no-length"]
    with pytest.raises(WeightsError, match="does not say how long"):
        download(server.url, path)


def test_a_slow_body_arrives(server, path):
    server.plan = ["slow"]
    pinned(server, path)
    assert only_the_file(path)


def test_a_silent_server_is_given_up(server, path, monkeypatch):
    monkeypatch.setattr(module, "TIMEOUT", httpx.Timeout(0.2))
    server.plan = ["stall", "stall", "stall"]
    with pytest.raises(WeightsError, match=r"timed out .tried 3 times"):
        pinned(server, path)
    kept = path.with_name(".file.bin.part").stat().st_size
    assert HALF <= kept < len(BODY)


def test_no_server_is_told_at_once(path):
    started = time.monotonic()
    with pytest.raises(WeightsError, match="cannot connect: "):
        download("http://127.0.0.1:1/file", path, sha256=SHA256, size_bytes=len(BODY))
    assert time.monotonic() - started < 2


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/file", "http://[broken/file"])
def test_a_url_that_cannot_be_used_is_told(path, url):
    with pytest.raises(WeightsError):
        download(url, path)


def test_proxy_settings_that_cannot_be_used_are_told(path, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "nonsense://127.0.0.1")
    with pytest.raises(WeightsError, match="the proxy settings cannot be used"):
        download("http://127.0.0.1:1/file", path)


def test_redirects_are_followed_but_not_out_of_https(path, monkeypatch):
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/file":
            length = {"Content-Length": str(len(BODY))}
            return httpx.Response(200, headers=length, stream=httpx.ByteStream(BODY))
        return httpx.Response(302, headers={"Location": f"{request.url.path[1:]}://x.test/file"})

    def client() -> httpx.Client:
        return httpx.Client(transport=httpx.MockTransport(answer), follow_redirects=True)

    monkeypatch.setattr(module, "_client", client)
    assert download("https://y.test/https", path) == SHA256
    with pytest.raises(WeightsError, match="redirects from https"):
        download("https://y.test/http", path)


def test_a_full_disk_is_told_and_what_came_stays(server, path):
    part = path.with_name(".file.bin.part")
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    part.symlink_to("/dev/full")
    with pytest.raises(OutputError, match="no space left") as caught:
        pinned(server, path)
    assert "EVERYID_MODELS" in str(caught.value.hint)
    assert part.is_symlink()
    assert not path.exists()


def test_a_disk_that_fills_up_in_the_middle_leaves_a_part_to_resume(server, path, monkeypatch):
    real = Path.open

    def open_full(self: Path, mode: str = "r", *rest, **named):
        file = real(self, mode, *rest, **named)
        if self.name.endswith(".part") and mode == "wb":
            write = file.raw.write
            room = [HALF]

            class Full:
                def __getattr__(self, name):
                    return getattr(file, name)

                def __enter__(self):
                    return self

                def __exit__(self, *_):
                    file.close()

                def write(self, chunk):
                    if room[0] < len(chunk):
                        raise OSError(errno.ENOSPC, "No space left on device")
                    room[0] -= len(chunk)
                    return write(chunk)

            return Full()
        return file

    monkeypatch.setattr(Path, "open", open_full)
    with pytest.raises(OutputError, match="no space left on the disk of"):
        pinned(server, path)
    kept = path.with_name(".file.bin.part").stat().st_size
    monkeypatch.undo()
    pinned(server, path)
    assert 0 < kept <= HALF
    assert server.ranges[1] == f"bytes={kept}-"
    assert only_the_file(path)


SCRIPT = """
import sys
from pathlib import Path
from everyid.download import download
from everyid.store import claimed
url, path, sha256, size = sys.argv[1:]
path = Path(path)
with claimed(path):
    if path.exists():
        print("was there")
    else:
        download(url, path, sha256=sha256, size_bytes=int(size))
        print("downloaded")
"""


def start(server: FaultyServer, path: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", SCRIPT, server.url, str(path), SHA256, str(len(BODY))]
    return subprocess.Popen(
        command, cwd=PROJECT_FOLDER, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_download_is_resumed(server, path, how):
    server.plan = ["stall"]
    part = path.with_name(".file.bin.part")
    with start(server, path) as process:
        deadline = time.monotonic() + 20
        while not part.exists() or part.stat().st_size < HALF // 2:
            assert time.monotonic() < deadline, process.poll()
            time.sleep(0.02)
        process.send_signal(how)
        process.communicate(timeout=20)
    kept = part.stat().st_size
    assert not path.exists()
    with claimed(path):  # the lock of the dead is free
        pinned(server, path)
    assert server.ranges == [None, f"bytes={kept}-"]
    assert only_the_file(path)


def test_two_processes_fetch_once(server, path):
    server.plan = ["slow"]
    with start(server, path) as one, start(server, path) as two:
        said = [one.communicate(timeout=30), two.communicate(timeout=30)]
    assert sorted(out.strip() for out, _ in said) == ["downloaded", "was there"]
    assert len(server.headers) == 1
    assert only_the_file(path)


def test_threads_wait_for_each_other_and_are_told(path, capsys):
    order: list[str] = []

    def second() -> None:
        with claimed(path):
            order.append("second")

    with claimed(path):
        thread = threading.Thread(target=second)
        thread.start()
        time.sleep(0.3)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]
    assert capsys.readouterr().err.count("another process is writing file.bin") == 1
    assert list(path.parent.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX locks")
def test_a_disk_without_locks_does_without(path, monkeypatch):
    def flock(*_: object) -> None:
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(store.fcntl, "flock", flock)
    with claimed(path):
        path.write_bytes(b"x")
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_a_lock_removed_in_between_is_taken_again(path, monkeypatch):
    answers = iter([False, True])
    monkeypatch.setattr(store, "_still_named", lambda *_: next(answers))
    with claimed(path):
        pass
    assert next(answers, None) is None


def test_a_read_only_folder_is_told(path, monkeypatch):
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(store.os, "open", refuse)
    with pytest.raises(OutputError, match=r"cannot write .*Read-only file system") as caught:
        claimed(path).__enter__()
    assert "EVERYID_MODELS" in str(caught.value.hint)


def test_sha256_of_says_what_cannot_be_read(tmp_path):
    with pytest.raises(InputError, match=r"cannot read .*missing"):
        sha256_of(tmp_path / "missing")
