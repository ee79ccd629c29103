"""Docker engines for tests: real ones, started by hand beside any that the machine has, each in a
network namespace of its own so that nothing of the machine's network is touched."""

import collections
import contextlib
import ctypes
import http.client
import http.server
import io
import json
import os
import pathlib
import shutil
import signal
import socket
import socketserver
import subprocess
import tarfile
import threading
import time
import urllib.parse

START_SECONDS = 60
STOP_SECONDS = 60


class Connection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path, timeout=60):
        super().__init__("engine", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def missing():
    """What this machine lacks to run engines; None when nothing."""
    if os.geteuid() != 0:
        return "root, to start Docker engines"
    for program in ("dockerd", "containerd", "runc", "unshare", "ldd", "git", "curl"):
        if shutil.which(program) is None:
            return f"{program} (packages docker.io, util-linux, libc-bin, git, curl)"
    return None


class Door:
    """A port of loopback here that leads to one in the network namespace of a process."""

    def __init__(self, process, port):
        self.target = port
        self.namespace = open(f"/proc/{process}/ns/net", "rb")
        subprocess.run(["nsenter", "--net", "--target", str(process),
                        "ip", "link", "set", "lo", "up"], check=True, capture_output=True)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.namespace.close()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                here, _ = self.listener.accept()
                threading.Thread(target=self._serve, args=(here,), daemon=True).start()

    def _serve(self, here):
        # A thread alone moves there, and sockets that it makes stay there.
        libc = ctypes.CDLL(None, use_errno=True)
        with here, contextlib.suppress(OSError):
            if libc.setns(self.namespace.fileno(), 0) != 0:
                raise OSError(ctypes.get_errno(), "setns")
            with socket.create_connection(("127.0.0.1", self.target)) as there:
                back = threading.Thread(target=self._pump, args=(there, here), daemon=True)
                back.start()
                self._pump(here, there)
                back.join()

    @staticmethod
    def _pump(source, target):
        with contextlib.suppress(OSError):
            while piece := source.recv(65536):
                target.sendall(piece)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)


class UntoldEngine:
    """Another way to an engine, by a socket of its own: of each kind of change the first is carried out
    and answered with an error, the second carried out and not answered, and so on, `times` in all."""

    def __init__(self, engine, socket_path, times):
        self.name = engine.name
        self.socket = str(socket_path)
        self.untold = collections.Counter()  # Changes of which nothing was told, by kind.
        door = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def address_string(self):
                return "dispatcher"

            def _forward(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                there = Connection(engine.socket, timeout=None)
                try:
                    there.request(self.command, self.path, body, {
                        name: value for name, value in self.headers.items()
                        if name.lower() not in ("host", "content-length")})
                    self._answer(there.getresponse())
                finally:
                    there.close()

            def _answer(self, response):
                kind = door.kind(self.command, self.path)
                if kind is not None and response.status < 300 and door.untold[kind] < times:
                    response.read()
                    door.untold[kind] += 1
                    self.close_connection = True
                    if door.untold[kind] % 2 == 1:
                        self._send(500, b'{"message": "context deadline exceeded"}')
                    return
                if self.command != "GET" or response.length is not None:
                    return self._send(response.status, response.read())
                self._stream(response)

            def _send(self, status, body):
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                if status != 204:
                    self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def _stream(self, response):
                self.send_response(response.status)
                self.send_header("Content-Type", response.headers.get("Content-Type", ""))
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                while piece := response.read1(65536):
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                self.wfile.write(b"0\r\n\r\n")

            do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _forward

        class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
            daemon_threads = True

            def handle_error(self, *_):
                pass  # The dispatcher hung up.

        self.server = Server(self.socket, Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @staticmethod
    def kind(method, path):
        """What of a container is changed: "create", "start", "kill", "remove"; else None."""
        place = path.split("?")[0].split("/containers/")
        if len(place) < 2 or method == "GET":
            return None
        return "remove" if method == "DELETE" else place[1].split("/")[-1]

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Engine:
    """One engine with a data directory of its own below `directory`; stop() ends it and start()
    begins it again on the same data; remove() leaves nothing."""

    def __init__(self, directory, name, options=()):
        self.root = pathlib.Path(directory) / name
        self.name = name
        self.socket = str(self.root / "d.sock")
        self.options = options  # Of the program.
        self.root.mkdir(mode=0o711)
        self.process = None
        # Two engines of one machine would otherwise share an identity.
        (self.root / "daemon.json").write_text(
            json.dumps({"deprecated-key-path": str(self.root / "key.json")}))

    def start(self):
        # What an engine that was killed leaves would keep the next one from starting.
        for stale in (self.root / "pid", self.root / "exec/containerd/containerd.pid"):
            stale.unlink(missing_ok=True)
        with open(self.root / "log", "ab") as log:
            self.process = subprocess.Popen(
                ["unshare", "--net", "dockerd", "--config-file", self.root / "daemon.json",
                 "--data-root", self.root / "data", "--exec-root", self.root / "exec",
                 "--pidfile", self.root / "pid", "--host", f"unix://{self.socket}",
                 "--bridge", "none", "--iptables=false", *self.options],
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                start_new_session=True)
        end = time.monotonic() + START_SECONDS
        while True:
            try:
                return self.ask("GET", "/_ping")
            except OSError:
                if self.process.poll() is not None or time.monotonic() > end:
                    raise AssertionError(f"the engine does not start: {self.log()}") from None
                time.sleep(0.05)

    def log(self):
        return (self.root / "log").read_text(errors="replace")[-2000:]

    def stop(self, with_signal=signal.SIGTERM):
        """Ends the engine, and with SIGTERM its containers first."""
        if self.process is None:
            return
        self.process.send_signal(with_signal)
        self.process.wait(timeout=STOP_SECONDS)
        self.process = None

    def _end_leftovers(self):
        """Ends what an engine leaves of containers that it did not see end: their shims."""
        end = time.monotonic() + STOP_SECONDS
        while left := [int(entry.name) for entry in pathlib.Path("/proc").iterdir()
                       if entry.name.isdigit() and self._is_of_engine(entry)]:
            for process in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
            if time.monotonic() > end:
                raise AssertionError(f"processes of the engine do not end: {left}")
            time.sleep(0.05)

    def _is_of_engine(self, entry):
        try:
            return f"{self.root}/".encode() in (entry / "cmdline").read_bytes()
        except OSError:  # It has ended.
            return False

    def remove(self):
        self.stop()
        self._end_leftovers()
        # An engine mounts its data directory on itself and leaves that.
        mounts = [line.split()[1] for line in pathlib.Path("/proc/mounts").read_text().splitlines()
                  if line.split()[1].startswith(f"{self.root}/")]
        for mount in sorted(mounts, key=len, reverse=True):
            subprocess.run(["umount", "--lazy", mount], check=False, capture_output=True)
        shutil.rmtree(self.root)

    def request(self, method, path, body=None, query=None, raw=False):
        """Status and answer of one call."""
        connection = Connection(self.socket)
        if query:
            path += "?" + urllib.parse.urlencode(query)
        headers = {"Content-Type": "application/x-tar" if raw else "application/json"}
        try:
            connection.request(method, path, body if raw else body and json.dumps(body), headers)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def ask(self, method, path, body=None, query=None, raw=False):
        status, answer = self.request(method, path, body, query, raw)
        if status >= 400:
            raise AssertionError(f"{method} {path} gave {status}: {answer[:500]}")
        return answer

    def list(self, kind, **filters):
        query = {"filters": json.dumps(filters), **({"all": "1"} if kind == "containers" else {})}
        found = json.loads(self.ask("GET", "/containers/json" if kind == "containers"
                                    else f"/{kind}", query=query))
        return found

    def load(self, image, tar):
        """Makes `image` from the files of a root directory."""
        name, tag = image.split(":")
        self.ask("POST", "/images/create", tar, {"fromSrc": "-", "repo": name, "tag": tag}, raw=True)


def _libraries(program):
    """Every file that the loader opens for `program`."""
    listed = subprocess.run(["ldd", program], capture_output=True, text=True, check=False).stdout
    found = set()
    for line in listed.splitlines():
        words = line.split()
        path = words[2] if "=>" in words and len(words) > 2 else words[0] if words else ""
        if path.startswith("/"):
            found.add(path)
    return found


def image_of(programs, links=None):
    """A root directory, as a tar, with `programs` (path inside by path here), the libraries that
    they need, and nothing else. No registry is asked and no network is needed."""
    files = {}
    for here, inside in programs.items():
        files[inside] = os.path.realpath(here)
        for library in _libraries(os.path.realpath(here)):
            files[library] = os.path.realpath(library)
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        # A tmpfs takes over the mode of the directory that it is mounted on.
        for name, mode in (("tmp", 0o1777), ("proc", 0o755), ("dev", 0o755), ("sys", 0o755),
                           ("etc", 0o755)):
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = tarfile.DIRTYPE, mode
            tar.addfile(entry)
        for inside, text in {"etc/passwd": "root:x:0:0:root:/:/bin/sh\n",
                             "etc/group": "root:x:0:\n"}.items():
            entry = tarfile.TarInfo(inside)
            entry.size, entry.mode = len(text), 0o644
            tar.addfile(entry, io.BytesIO(text.encode()))
        for inside, target in (links or {}).items():
            entry = tarfile.TarInfo(inside.lstrip("/"))
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            tar.addfile(entry)
        for inside, here in sorted(files.items()):
            entry = tar.gettarinfo(here, arcname=inside.lstrip("/"))
            entry.uid = entry.gid = 0
            entry.type, entry.linkname = tarfile.REGTYPE, ""
            entry.size = os.path.getsize(here)
            with open(here, "rb") as content:
                tar.addfile(entry, content)
    return packed.getvalue()


def agent_image(agent):
    """What an agent of the docker driver needs: itself, git and prlimit; and for its validators a
    shell and a few programs."""
    programs = {str(agent): "/usr/local/bin/slipway-agent"}
    for name in ("git", "prlimit", "sh", "cat", "ls", "grep", "curl"):
        programs[shutil.which(name)] = f"/usr/bin/{name}"
    return image_of(programs, {"/bin": "usr/bin"})
