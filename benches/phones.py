"""Phones that call each other's addresses, without Kamailio and without accounts, and how their messages are read."""

import subprocess

from lab import Lab, Offhook, wait_for


class Bare(Lab):
    """Without Kamailio: the phones call each other's addresses."""

    def _kamailio(self):
        pass


class Phone:
    """`offhook run` without an account."""

    def __init__(self, lab, name, port, sound, calls=""):
        config = lab.folder / f"{name}.toml"
        config.write_text(
            f'[sip]\nlisten = "127.0.0.1:{port}"\n[audio]\n{sound}\nring = "null"\ncodecs = ["PCMU"]\n[calls]\n{calls}\n'
        )
        config.chmod(0o600)
        self.lab, self.name, self.port = lab, name, port
        command = [Offhook.binary, "--config", config, "run", "--json"]
        self.process = lab.start(name, command, stdin=subprocess.PIPE)

    def tell(self, line):
        self.process.stdin.write(f"{line}\n".encode())
        self.process.stdin.flush()

    def count(self, event):
        return self.lab.log(self.name).count(f'"event":"{event}"')

    def wait(self, event, count):
        wait_for(f"{event} of {self.name}", lambda: self.count(event) >= count)


def head(payload):
    """The first line of a message, and its header fields by their names in lower case."""
    line, _, rest = payload.partition(b"\r\n")
    rows = (row.partition(b":") for row in rest.partition(b"\r\n\r\n")[0].split(b"\r\n"))
    return line, {name.strip().lower(): value.strip() for name, _, value in rows}
