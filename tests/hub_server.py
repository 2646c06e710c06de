"""A model hub on this machine: speaks the addresses that the real client asks, and fails on demand.

``HubServer`` keeps repositories in memory. Small files are git's, large ones LFS, served from
another origin than the hub's, as on the real one. ``fail`` plans what goes wrong. With ``xet`` the
large files are offered by way of Xet as well: tokens, reconstructions, xorbs and shards.
"""

import base64
import hashlib
import http.server
import json
import re
import sys
import threading
import time
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from huggingface_hub import close_session, constants
from huggingface_hub.utils import _xet

from everyid.settings import settings

LARGE = (".bin", ".pth", ".safetensors")
TOKEN = "hf_" + "writeTokenOfTheTests"
READ_TOKEN = "hf_" + "readTokenOfTheTests"
CHUNK = 65_536
SIGNATURE = "Signature=notToBeShown"
GIT_URL = re.compile(r"/(?P<repo>[^/]+/[^/]+)\.git/info/lfs/objects/batch")
RESOLVE_URL = re.compile(r"/(?P<repo>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<file>.+)")
API_URL = re.compile(r"/api/models/(?P<repo>[^/]+/[^/]+)(/(?P<verb>[a-z-]+)/(?P<revision>[^/]+))?")


def whoami(name: str, role: str, *, orgs: Any = (), scoped: Any = None) -> dict[str, Any]:
    """What the hub says of a token."""
    token: dict[str, Any] = {"displayName": "tests", "role": role, "createdAt": "2026-01-01"}
    if scoped is not None:
        token["fineGrained"] = {"global": [], "canReadGatedRepos": False, "scoped": scoped}
    return {
        "type": "user",
        "id": "1",
        "name": name,
        "fullname": name.title(),
        "orgs": [{"type": "org", "name": org, "roleInOrg": how} for org, how in orgs],
        "auth": {"type": "access_token", "accessToken": token},
    }


def sha1(content: bytes) -> str:
    return hashlib.sha1(content, usedforsecurity=False).hexdigest()


def git_sha1(content: bytes) -> str:
    return sha1(b"blob %d\0" % len(content) + content)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def pieces(content: bytes) -> list[bytes]:
    """The chunks of a file, here all of one size."""
    return [content[at : at + CHUNK] for at in range(0, len(content), CHUNK)]


def xorb(content: bytes) -> bytes:
    """Chunks in a row, each behind its version, stored size, way of compression (none) and size."""
    parts = []
    for piece in pieces(content):
        size = len(piece).to_bytes(3, "little")
        parts.append(b"\0" + size + b"\0" + size + piece)
    return b"".join(parts)


def content_of(stored: bytes) -> bytes | None:
    """What the chunks of an xorb hold together; None where some are compressed."""
    parts, at = [], 0
    while at < len(stored) and stored[at : at + 1] == b"\0":
        size = int.from_bytes(stored[at + 1 : at + 4], "little")
        if stored[at + 4] != 0:
            return None
        parts.append(stored[at + 8 : at + 8 + size])
        at += 8 + size
    return b"".join(parts)


@dataclass
class Repo:
    """A repository: its commits, oldest first, and the branch or tag of some of them."""

    private: bool = False
    gated: bool = False
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)

    def commit(self, files: dict[str, bytes], branch: str = "main") -> str:
        """Adds files in a commit of its own and gives its name."""
        before = self.commits.get(self.names.get(branch, ""), {})
        name = sha1(repr((len(self.commits), sorted(files))).encode())
        self.commits[name] = before | files
        self.names[branch] = name
        return name

    def resolve(self, revision: str) -> str | None:
        revision = self.names.get(revision, revision)
        return revision if revision in self.commits else None


@dataclass
class Fault:
    """What goes wrong, at which requests, how often."""

    method: str
    part: str
    what: str
    times: int


@dataclass
class HubServer:
    """A hub, what it holds, and what it was asked."""

    repos: dict[str, Repo] = field(default_factory=dict)
    tokens: dict[str, dict[str, Any]] = field(
        default_factory=lambda: {
            TOKEN: whoami("anna", "write", orgs=[("studio", "write"), ("press", "read")]),
            READ_TOKEN: whoami("anna", "read"),
        }
    )
    objects: dict[str, bytes] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    requests: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)
    xet: bool = False
    released: threading.Event = field(default_factory=threading.Event)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def store_url(self) -> str:
        """Where large files lie: another origin, to which no token belongs."""
        return f"http://localhost:{self.port}"

    def add(self, name: str, files: dict[str, bytes], **more: Any) -> str:
        """Adds a repository of one commit, and gives the commit's name."""
        self.repos[name] = Repo(**more)
        return self.repos[name].commit(files)

    def fail(self, part: str, what: str, *, method: str = "", times: int = 1) -> None:
        """Lets requests go wrong whose path contains ``part``.

        ``what``: a status with headers (``429|Retry-After=0``), or what happens to a body: ``cut``,
        ``reset``, ``stall``, ``wrong``, ``html``, ``ignore-range``.
        """
        self.faults.append(Fault(method, part, what, times))

    def fault_of(self, method: str, path: str) -> str:
        for fault in self.faults:
            if fault.times and fault.part in path and fault.method in ("", method):
                fault.times -= 1
                return fault.what
        return ""

    def asked(self, part: str, method: str = "") -> list[dict[str, str]]:
        """The headers of the requests whose path contains ``part``."""
        return [
            headers
            for verb, path, headers in self.requests
            if part in path and method in ("", verb)
        ]


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers for the hub of its ``hub``."""

    hub: HubServer
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.answer()

    def do_GET(self) -> None:
        self.answer()

    def do_POST(self) -> None:
        self.answer()

    def do_PUT(self) -> None:
        self.answer()

    # What every answer goes through.

    def answer(self) -> None:
        hub = self.hub
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.where = unquote(urlsplit(self.path).path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        hub.requests.append((self.command, self.where, headers))
        self.fault = hub.fault_of(self.command, self.where)
        if self.fault[:1].isdigit():
            status, *headers = self.fault.split("|")
            self.send(int(status), headers=dict(one.split("=", 1) for one in headers))
        elif self.fault == "stall" and "/store/" not in self.where:
            self.hub.released.wait(20)
            self.close_connection = True
        elif self.fault == "html":
            self.send(200, b"<html>log in</html>", {"Content-Type": "text/html"})
        else:
            self.route()

    def send(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def json(self, value: object, status: int = 200, **headers: str) -> None:
        body = json.dumps(value).encode()
        self.send(status, body, {"Content-Type": "application/json"} | headers)

    def refuse(self, status: int, code: str, message: str = "") -> None:
        headers = {"X-Error-Code": code, "X-Error-Message": message or code}
        self.send(status, headers={name: value for name, value in headers.items() if value})

    @property
    def token(self) -> str:
        return self.headers.get("Authorization", "").removeprefix("Bearer ")

    @property
    def account(self) -> dict[str, Any] | None:
        return self.hub.tokens.get(self.token)

    def route(self) -> None:
        if self.token and self.account is None and not self.where.startswith("/cas"):
            self.refuse(401, "", "Invalid credentials in Authorization header")
        elif self.where == "/api/whoami-v2":
            self.json(self.account) if self.account else self.refuse(401, "", "Not logged in")
        elif self.where == "/api/repos/create":
            self.create()
        elif self.where == "/api/validate-yaml":
            self.json({"errors": [], "warnings": []})
        elif self.where.startswith("/store/"):
            self.store(self.where.removeprefix("/store/"))
        elif self.where.startswith("/cas/"):
            self.cas(self.where.removeprefix("/cas"))
        else:
            self.repository()

    def repository(self) -> None:
        patterns = {GIT_URL: self.batch, API_URL: self.api, RESOLVE_URL: self.file}
        fitting = ((pattern.fullmatch(self.where), then) for pattern, then in patterns.items())
        match, then = next(((one, then) for one, then in fitting if one), (None, self.api))
        if match is None:
            self.refuse(404, "")
            return
        repo = self.hub.repos.get(match["repo"])
        owner = match["repo"].partition("/")[0]
        mine = self.account is not None and (
            owner == self.account["name"] or owner in [o["name"] for o in self.account["orgs"]]
        )
        if repo is None or (repo.private and not mine):
            self.refuse(404 if self.token else 401, "RepoNotFound", "Repository not found")
        elif repo.gated and not mine:
            self.refuse(403 if self.token else 401, "GatedRepo", "Access to it is restricted")
        else:
            then(repo, match.groupdict())

    # Reading.

    def api(self, repo: Repo, named: dict[str, Any]) -> None:
        verb, revision = named["verb"], named["revision"]
        if verb in ("preupload", "commit") and self.command == "POST":
            if self.account is None or self.account["auth"]["accessToken"]["role"] == "read":
                self.refuse(403, "", "You need write access")
            else:
                (self.preupload if verb == "preupload" else self.commit)(repo, revision or "main")
            return
        commit = repo.resolve(revision or "main")
        if commit is None and (repo.commits or verb == "revision"):
            self.refuse(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        elif verb in ("xet-read-token", "xet-write-token"):
            self.xet_token()
        else:
            files = repo.commits.get(commit or "", {})
            siblings = [self.described(name, content) for name, content in files.items()]
            self.json(
                {
                    "_id": "1",
                    "id": named["repo"],
                    "sha": commit or "0" * 40,
                    "private": repo.private,
                    "gated": repo.gated,
                    "siblings": siblings,
                    "tags": [],
                }
            )

    def described(self, name: str, content: bytes) -> dict[str, Any]:
        what = {"rfilename": name, "size": len(content), "blobId": git_sha1(content)}
        if name.endswith(LARGE):
            what["lfs"] = {"sha256": sha256(content), "size": len(content), "pointerSize": 134}
        return what

    def file(self, repo: Repo, named: dict[str, Any]) -> None:
        commit, file = repo.resolve(named["revision"]), named["file"]
        if commit is None:
            self.refuse(404, "RevisionNotFound")
            return
        content = repo.commits[commit].get(file)
        if content is None:
            self.refuse(404, "EntryNotFound")
            return
        headers = {"X-Repo-Commit": commit, "Accept-Ranges": "bytes"}
        if not file.endswith(LARGE):
            self.ranged(content, headers | {"ETag": f'"{git_sha1(content)}"'})
            return
        oid = sha256(content)
        self.hub.objects.setdefault(oid, content)
        headers |= {
            "X-Linked-Etag": f'"{oid}"',
            "X-Linked-Size": str(len(content)),
            "ETag": f'"{oid[:32]}"',
            "Location": f"{self.hub.store_url}/store/{oid}?{SIGNATURE}",
        }
        if self.hub.xet:
            refresh = f"{self.hub.url}/api/models/{named['repo']}/xet-read-token/{commit}"
            headers |= {"X-Xet-Hash": oid, "Link": f'<{refresh}>; rel="xet-auth"'}
        self.send(302, headers=headers)

    def store(self, oid: str) -> None:
        if self.command == "PUT":
            if self.fault == "reset":
                self.close_connection = True
                self.connection.close()
                return
            self.hub.objects[oid] = self.body
            self.send(200)
            return
        self.ranged(self.hub.objects[oid], {"ETag": f'"{oid}"', "Accept-Ranges": "bytes"})

    def ranged(self, content: bytes, headers: dict[str, str]) -> None:
        if self.fault == "wrong":
            content = content[::-1]
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        status, piece = 200, content
        if asked and self.fault != "ignore-range":
            start, end = int(asked[1]), int(asked[2] or len(content) - 1) + 1
            status, piece = 206, content[start:end]
            last = start + len(piece) - 1
            headers = headers | {"Content-Range": f"bytes {start}-{last}/{len(content)}"}
        if self.fault not in ("cut", "stall") or self.command == "HEAD":
            self.send(status, piece, headers)
            return
        self.send_response(status)
        for name, value in (headers | {"Content-Length": str(len(piece))}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(piece[: len(piece) // 2])
        self.wfile.flush()
        if self.fault == "stall":
            self.hub.released.wait(20)
        self.close_connection = True

    # Writing.

    def create(self) -> None:
        asked = json.loads(self.body)
        if self.account is None or self.account["auth"]["accessToken"]["role"] == "read":
            self.refuse(403, "", "You need write access")
            return
        name = f"{asked['organization'] or self.account['name']}/{asked['name']}"
        if name in self.hub.repos:
            self.json({"error": "You already created this model repo"}, 409)
            return
        self.hub.add(name, {".gitattributes": b""}, private=asked.get("visibility") == "private")
        self.json({"url": f"{self.hub.url}/{name}"})

    def preupload(self, repo: Repo, revision: str) -> None:
        files = [
            {
                "path": one["path"],
                "uploadMode": "lfs" if one["path"].endswith(LARGE) else "regular",
                "shouldIgnore": False,
                "oid": None,
            }
            for one in json.loads(self.body)["files"]
        ]
        self.json({"files": files, "commitOid": repo.resolve(revision)})

    def batch(self, _: Repo, __: dict[str, Any]) -> None:
        answers = []
        for one in json.loads(self.body)["objects"]:
            answer = {"oid": one["oid"], "size": one["size"], "authenticated": True}
            if one["oid"] not in self.hub.objects:
                href = f"{self.hub.store_url}/store/{one['oid']}?{SIGNATURE}"
                answer["actions"] = {"upload": {"href": href, "header": {}}}
            answers.append(answer)
        self.json({"transfer": "basic", "objects": answers})

    def commit(self, repo: Repo, revision: str) -> None:
        files: dict[str, bytes] = {}
        for line in self.body.splitlines():
            item = json.loads(line)
            value = item["value"]
            if item["key"] == "header" and value.get("parentCommit") not in (
                None,
                repo.resolve(revision),
            ):
                self.refuse(412, "", "A commit has happened since. Please refresh")
                return
            if item["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif item["key"] == "lfsFile":
                if value["oid"] not in self.hub.objects:
                    self.refuse(400, "", f"LFS object {value['oid']} is missing")
                    return
                files[value["path"]] = self.hub.objects[value["oid"]]
        done = repo.commit(files, revision)
        self.json({"success": True, "commitOid": done, "commitUrl": f"{self.hub.url}/c/{done}"})

    # Xet: what holds the bytes of large files, in pieces.

    def xet_token(self) -> None:
        headers = {
            "X-Xet-Cas-Url": f"{self.hub.url}/cas",
            "X-Xet-Access-Token": "xetAccessTokenOfTheTests",
            "X-Xet-Token-Expiration": str(int(time.time()) + 3600),
        }
        self.json(
            {
                "casUrl": headers["X-Xet-Cas-Url"],
                "accessToken": headers["X-Xet-Access-Token"],
                "exp": int(headers["X-Xet-Token-Expiration"]),
            },
            **headers,
        )

    def cas(self, where: str) -> None:
        """Reconstructions: each file is one xorb of chunks that are not compressed."""
        _, version, what, *rest = where.split("/")
        if version == "v1" and what == "reconstructions" and rest[0] in self.hub.objects:
            self.reconstruction(rest[0])
        elif what == "xorbs":
            content = content_of(self.body)
            if content is None:
                self.refuse(400, "", "this hub reads no compressed chunks")
                return
            self.hub.objects[sha256(content)] = content
            self.json({"was_inserted": True})
        elif version == "v1" and what == "shards":
            self.json({"result": 1})
        elif version == "v1" and what == "xorb":
            self.ranged(xorb(self.hub.objects[rest[0]]), {"Accept-Ranges": "bytes"})
        else:  # the client falls back from v2 to v1
            self.refuse(404, "")

    def reconstruction(self, oid: str) -> None:
        content = self.hub.objects[oid]
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if asked and int(asked[1]) >= len(content):
            self.send(416)
            return
        whole = {"start": 0, "end": len(pieces(content))}
        fetch = {
            "range": whole,
            "url": f"{self.hub.store_url}/cas/v1/xorb/{oid}?{SIGNATURE}",
            "url_range": {"start": 0, "end": len(xorb(content)) - 1},
        }
        term = {"hash": oid, "unpacked_length": len(content), "range": whole}
        self.json({"offset_into_first_range": 0, "terms": [term], "fetch_info": {oid: [fetch]}})


class QuietServer(http.server.ThreadingHTTPServer):
    """A server that takes a client that hangs up as a matter of course."""

    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


def guide(patch: pytest.MonkeyPatch, hub: HubServer, folder: Path) -> None:
    """Leads the real client of this process to a hub of the tests.

    Its token is the one that may write, its folders are below ``folder``, and Xet is off. Instead
    of waiting between tries it notes the pause with the hub.
    """
    clock = types.SimpleNamespace(**{**vars(time), "sleep": hub.pauses.append})
    for module in ("huggingface_hub.utils._http", "huggingface_hub.file_download", "everyid.hub"):
        patch.setattr(f"{module}.time", clock)
    for name, value in {
        "ENDPOINT": hub.url,
        "HUGGINGFACE_CO_URL_TEMPLATE": hub.url + "/{repo_id}/resolve/{revision}/{filename}",
        "HF_HUB_CACHE": str(folder / "client"),
        "HF_TOKEN_PATH": str(folder / "login" / "token"),
        "HF_HUB_OFFLINE": False,
        "HF_HUB_DISABLE_XET": True,
        "HF_HUB_ETAG_TIMEOUT": 5,
        "HF_HUB_DOWNLOAD_TIMEOUT": 5,
        "DOWNLOAD_CHUNK_SIZE": 1000,
    }.items():
        patch.setattr(constants, name, value)
    patch.setattr(_xet, "XET_CONNECTION_INFO_CACHE", {})
    patch.setenv("HF_TOKEN", TOKEN)
    patch.setenv("HF_XET_XORB_COMPRESSION_POLICY", "none")  # this hub reads nothing else
    patch.setenv("HF_XET_CACHE", str(folder / "xet"))
    patch.setenv("HF_XET_CLIENT_RETRY_MAX_ATTEMPTS", "1")
    patch.setenv("EVERYID_MODELS", str(folder / "models"))
    patch.setenv("EVERYID_TMP", str(folder / "tmp"))
    settings.cache_clear()


@contextmanager
def running_hubs() -> Iterator[Callable[[], HubServer]]:
    """What gives a new, empty hub at each call, all at one address, while the block runs."""
    handler = type("BoundHandler", (Handler,), {"hub": HubServer()})
    with QuietServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()

        def fresh() -> HubServer:
            handler.hub.released.set()
            handler.hub = HubServer(port=server.server_address[1])
            return handler.hub

        try:
            yield fresh
        finally:
            handler.hub.released.set()
            server.shutdown()
            thread.join()
            close_session()  # the client keeps its connections, to a hub that is gone
