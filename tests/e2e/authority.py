"""Certificates for tests."""

import pathlib
import subprocess


def openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


class Authority:
    """Signs certificates with the files in a directory of its own."""

    def __init__(self, directory, name):
        self.root = pathlib.Path(directory) / name
        self.root.mkdir()
        self.file = self.root / "ca.pem"
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-keyout", self.root / "ca.key", "-out", self.file, "-subj", f"/CN={name}",
                "-days", "2")

    def issue(self, name, extensions, days="1"):
        files = self.root / f"{name}.pem", self.root / f"{name}.key"
        request, section = self.root / f"{name}.csr", self.root / f"{name}.ext"
        section.write_text(extensions)
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                files[1], "-out", request, "-subj", f"/CN={name}")
        openssl("x509", "-req", "-in", request, "-CA", self.file, "-CAkey", self.root / "ca.key",
                "-CAcreateserial", "-out", files[0], "-days", days, "-extfile", section)
        return files
