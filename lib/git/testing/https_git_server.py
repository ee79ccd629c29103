#!/usr/bin/env python3
"""Serves the repositories below a directory over https, by git http-backend, for tests.

Usage: https_git_server.py CERTIFICATE KEY DIRECTORY TOKEN. Prints its port and serves until its
standard input ends. /hang/ never answers, /elsewhere/ redirects to the same server's /seen/, which
notes in DIRECTORY/seen whether the credentials came along.
"""
import base64
import http.server
import os
import ssl
import subprocess
import sys
import threading

CERTIFICATE, KEY, DIRECTORY, TOKEN = sys.argv[1:5]
WANTED = "Basic " + base64.b64encode(("git:" + TOKEN).encode()).decode()
END = threading.Event()


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        if self.path.startswith("/hang/"):
            END.wait()
            return
        if self.path.startswith("/elsewhere/"):
            self.send_response(302)
            self.send_header("Location", "https://%s/seen/x" % self.headers["Host"])
            self.end_headers()
            return
        if self.path.startswith("/seen/"):
            with open(os.path.join(DIRECTORY, "seen"), "w") as seen:
                seen.write(self.headers.get("Authorization", "nothing"))
        if self.headers.get("Authorization") != WANTED:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="git"')
            self.end_headers()
            return
        self.serve()

    do_POST = do_GET

    def body(self):
        if self.headers.get("Transfer-Encoding", "") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts = []
        while True:
            size = int(self.rfile.readline().split(b";")[0], 16)
            parts.append(self.rfile.read(size))
            self.rfile.readline()
            if size == 0:
                return b"".join(parts)

    def serve(self):
        path, _, query = self.path.partition("?")
        environment = {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "GIT_PROJECT_ROOT": DIRECTORY,
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "REMOTE_USER": "git",
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
        }
        answer = subprocess.run(["git", "http-backend"], input=self.body(), env=environment,
                                capture_output=True, check=False).stdout
        head, _, content = answer.partition(b"\r\n\r\n")
        lines = [line.split(": ", 1) for line in head.decode().split("\r\n") if ": " in line]
        status = next((value for name, value in lines if name == "Status"), "200 OK")
        self.send_response(int(status.split()[0]))
        for name, value in lines:
            if name != "Status":
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def main():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE, KEY)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_address[1], flush=True)
    sys.stdin.read()
    END.set()


main()
