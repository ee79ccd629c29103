"""A Kubernetes API for tests whose pods are real: a small server of the documented protocol (lists,
watches, conflicts) for one namespace, and a kubelet that runs each pod as a container of a Docker
engine, in the engine's network namespace, where network policies are enforced by packet filters."""

import collections
import contextlib
import http.server
import json
import pathlib
import socket
import ssl
import subprocess
import threading
import time

HERE, THERE = "10.203.77.1", "10.203.77.2"  # The two ends of the way to the pods.
TOKEN = "account-token"
KINDS = {"jobs": "Job", "pods": "Pod", "secrets": "Secret", "networkpolicies": "NetworkPolicy",
         "events": "Event"}


def connect_network(process):
    """A way from here to the network namespace of `process`; it goes with the namespace."""
    def run(*command):
        subprocess.run(command, check=True, capture_output=True)
    inside = ["nsenter", "--net", "--target", str(process)]
    run("ip", "link", "add", "slipway-pods", "type", "veth", "peer", "name", "eth0", "netns",
        str(process))
    run("ip", "addr", "add", f"{HERE}/30", "dev", "slipway-pods")
    run("ip", "link", "set", "slipway-pods", "up")
    run(*inside, "ip", "addr", "add", f"{THERE}/30", "dev", "eth0")
    run(*inside, "ip", "link", "set", "eth0", "up")


class Relay:
    """A port of HERE that leads to a unix socket."""

    def __init__(self, path):
        self.path = path
        self.listener = socket.create_server((HERE, 0))
        self.address = f"{HERE}:{self.listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                here, _ = self.listener.accept()
                there = socket.socket(socket.AF_UNIX)
                try:
                    there.connect(str(self.path))
                except OSError:
                    here.close()
                    there.close()
                    continue
                threading.Thread(target=self._serve, args=(here, there), daemon=True).start()

    def _serve(self, here, there):
        with here, there:
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


class Cluster:
    """Begins to serve at once, on every address; stop() ends it and its pods."""

    def __init__(self, engine, directory, certificate, enforces=True):
        self.engine = engine
        self.enforces = enforces  # Network policies.
        self.root = pathlib.Path(directory) / "cluster"
        self.root.mkdir(mode=0o711)
        self.changed = threading.Condition()
        self.objects = collections.defaultdict(dict)
        self.history = []  # (version, kind, type, object)
        self.version = 1
        self.stopping = False
        handler = type("Handler", (Handler,), {"cluster": self})
        self.server = http.server.ThreadingHTTPServer(("0.0.0.0", 0), handler)
        self.server.daemon_threads = True
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*map(str, certificate))
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True,
                                                 do_handshake_on_connect=False)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.kubelet = threading.Thread(target=self._run_pods, daemon=True)
        self.kubelet.start()

    def stop(self):
        with self.changed:
            self.stopping = True
            self.changed.notify_all()
        self.kubelet.join()
        self.server.shutdown()
        self.server.server_close()
        for container in self.engine.list("containers"):
            self.engine.request("DELETE", f"/containers/{container['Id']}?force=1")

    def store(self, kind, item, change):
        """Under the lock."""
        self.version += 1
        item["metadata"]["resourceVersion"] = str(self.version)
        self.objects[kind][item["metadata"]["name"]] = item
        self._tell(kind, change, item)

    def erase(self, kind, name):
        item = self.objects[kind].pop(name, None)
        if item is None:
            return
        self.version += 1
        item = json.loads(json.dumps(item))
        item["metadata"]["resourceVersion"] = str(self.version)
        self._tell(kind, "DELETED", item)
        for owned in ("pods", "secrets"):
            for other in list(self.objects[owned].values()):
                owners = other["metadata"].get("ownerReferences", [])
                if any(owner["uid"] == item["metadata"].get("uid") for owner in owners):
                    self.erase(owned, other["metadata"]["name"])

    def create(self, kind, item):
        name = item["metadata"]["name"]
        if name in self.objects[kind]:
            return False
        item["metadata"]["uid"] = f"uid-{self.version}"
        self.store(kind, item, "ADDED")
        if kind == "jobs":
            template = item["spec"]["template"]
            self.store("pods", {
                "metadata": {"name": f"{name}-abcde", "uid": f"pod-{self.version}",
                             "labels": {**template["metadata"]["labels"], "job-name": name},
                             "ownerReferences": [{"uid": item["metadata"]["uid"]}]},
                "spec": template["spec"], "status": {"phase": "Pending"}}, "ADDED")
        if kind == "networkpolicies" and self.enforces:
            self._enforce(item["spec"])
        return True

    def _tell(self, kind, change, item):
        self.history.append((self.version, kind, change, json.loads(json.dumps(item))))
        self.changed.notify_all()

    def _enforce(self, spec):
        """All pods of the engine are of one policy here."""
        rules = [["-F", "OUTPUT"], ["-A", "OUTPUT", "-o", "lo", "-j", "ACCEPT"]]
        for egress in spec["egress"]:
            rules.append(["-A", "OUTPUT", "-p", "tcp", "-d", egress["to"][0]["ipBlock"]["cidr"],
                          "--dport", str(egress["ports"][0]["port"]), "-j", "ACCEPT"])
        rules.append(["-A", "OUTPUT", "-j", "REJECT"])
        for rule in rules:
            subprocess.run(["nsenter", "--net", "--target", str(self.engine.process.pid),
                            "iptables", *rule], check=True, capture_output=True)

    def _run_pods(self):
        containers = {}  # By pod.
        while True:
            with self.changed:
                if self.stopping:
                    return
                pods = dict(self.objects["pods"])
                secrets = dict(self.objects["secrets"])
            for name, pod in pods.items():
                secret = secrets.get(pod["metadata"]["labels"]["job-name"])
                if name not in containers and secret is not None:
                    containers[name] = self._start(pod, secret["stringData"])
                    self._set_status(name, {"phase": "Running"})
                elif name in containers and pod["status"]["phase"] == "Running":
                    self._look(name, containers[name])
            for name in set(containers) - set(pods):
                self.engine.request("DELETE", f"/containers/{containers.pop(name)}?force=1")
            time.sleep(0.1)

    def _set_status(self, name, status):
        with self.changed:
            pod = self.objects["pods"].get(name)
            if pod is None:
                return
            self.store("pods", {**pod, "status": status}, "MODIFIED")

    def _look(self, name, container):
        state = json.loads(self.engine.ask("GET", f"/containers/{container}/json"))["State"]
        if state["Status"] != "exited":
            return
        log = self.engine.ask("GET", f"/containers/{container}/logs?stdout=1&stderr=1&tail=5")
        ended = {"exitCode": state["ExitCode"], "message": log[8:].decode(errors="replace")}
        self._set_status(name, {
            "phase": "Succeeded" if state["ExitCode"] == 0 else "Failed",
            "containerStatuses": [{"name": "agent", "state": {"terminated": ended}}]})

    def _start(self, pod, secret):
        """The container of a pod, with all that its specification says and nothing more."""
        spec, (container,) = pod["spec"], pod["spec"]["containers"]
        user, security = spec["securityContext"], container["securityContext"]
        directory = self.root / pod["metadata"]["name"]
        directory.mkdir(mode=0o755)
        volumes = {volume["name"]: volume for volume in spec["volumes"]}
        binds, memory = [], {}
        for mount in container["volumeMounts"]:
            volume = volumes[mount["name"]]
            if "emptyDir" in volume:
                size = volume["emptyDir"]["sizeLimit"]
                # A directory may be written by the pod's user; a tmpfs takes over the mode of the
                # directory below it, but not its owner.
                memory[mount["mountPath"]] = (f"rw,exec,nosuid,nodev,size={size},"
                                              f"uid={user['runAsUser']},gid={user['fsGroup']}")
                continue
            for item in volume["secret"]["items"]:
                path = directory / item["path"]
                path.write_text(secret[item["key"]])
                path.chmod(0o444)
            binds.append(f"{directory}:{mount['mountPath']}:ro")
        env = [f"KUBERNETES_SERVICE_HOST={HERE}", f"KUBERNETES_SERVICE_PORT={self.port}"]
        for variable in container["env"]:
            value = variable.get("value")
            env.append(f"{variable['name']}="
                       + (secret[variable["valueFrom"]["secretKeyRef"]["key"]]
                          if value is None else value))
        limits = container["resources"]["limits"]
        body = {
            "Image": container["image"], "Entrypoint": container["command"],
            "Cmd": container["args"], "WorkingDir": container["workingDir"], "Env": env,
            "User": f"{user['runAsUser']}:{user['runAsGroup']}",
            "HostConfig": {
                "NetworkMode": "host", "Binds": binds, "Tmpfs": memory,
                "ReadonlyRootfs": security["readOnlyRootFilesystem"],
                "CapDrop": security["capabilities"]["drop"],
                "SecurityOpt": [] if security["allowPrivilegeEscalation"]
                else ["no-new-privileges"],
                "Memory": int(limits["memory"]),
                "NanoCpus": int(limits["cpu"].removesuffix("m")) * 1_000_000}}
        made = json.loads(self.engine.ask("POST", "/containers/create", body))["Id"]
        self.engine.ask("POST", f"/containers/{made}/start")
        return made


class Handler(http.server.BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    cluster = None

    def log_message(self, *_):
        pass

    def _answer(self, status, body):
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def handle(self):
        with contextlib.suppress(OSError):  # A watcher may go at any time.
            super().handle()

    def _refuse(self, status, reason):
        self._answer(status, {"kind": "Status", "status": "Failure", "reason": reason,
                              "message": reason, "code": status})

    def _serve(self):
        length = int(self.headers.get("Content-Length", 0))
        body = json.loads(self.rfile.read(length)) if length else None
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return self._refuse(401, "Unauthorized")
        path, _, query = self.path.partition("?")
        kind, _, name = path.partition("/namespaces/agents/")[2].partition("/")
        if kind not in KINDS:
            return self._refuse(404, "NotFound")
        asked = dict(pair.partition("=")[::2] for pair in query.split("&"))
        if asked.get("watch"):
            return self._watch(kind, int(asked["resourceVersion"]))
        cluster = self.cluster
        with cluster.changed:
            known = cluster.objects[kind].get(name)
            if self.command == "POST":
                made = cluster.create(kind, body)
                return self._answer(201, body) if made else self._refuse(409, "AlreadyExists")
            if name and known is None:
                return self._refuse(404, "NotFound")
            if self.command == "DELETE":
                cluster.erase(kind, name)
                return self._answer(200, {"kind": "Status", "status": "Success"})
            if name:
                return self._answer(200, known)
            return self._answer(200, {
                "kind": f"{KINDS[kind]}List", "items": list(cluster.objects[kind].values()),
                "metadata": {"resourceVersion": str(cluster.version)}})

    do_GET = do_POST = do_DELETE = do_PUT = _serve

    def _watch(self, kind, version):
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        cluster = self.cluster
        while True:
            with cluster.changed:
                news = [change for change in cluster.history if change[0] > version]
                if not news and not cluster.stopping:
                    cluster.changed.wait(1)
                    continue
                if cluster.stopping:
                    return
            for version, of_kind, change, item in news:
                if of_kind != kind:
                    continue
                line = json.dumps({"type": change, "object": item}).encode() + b"\n"
                self.wfile.write(f"{len(line):x}\r\n".encode() + line + b"\r\n")
            self.wfile.flush()
