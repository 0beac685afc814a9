#!/usr/bin/python3
"""The terminal UI: its first frame, the time from a key to the screen, what it writes, and what it takes beside `run`.

    benches/ui.py [--calls N] [--keys N] [--messages N] [--seconds S] [--offhook PATH]

The UI runs in a pseudo-terminal of 80 columns and 24 rows; the phone calls a second one on loopback, with silent devices.
Needs root for its network namespace, and nothing but python3.
"""

import argparse
import contextlib
import fcntl
import os
import pathlib
import pty
import select
import shutil
import signal
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
ALICE, BOB = 5110, 5120
# One source rings twenty times in a row at most: so many calls go to a phone, the next ones to another.
RINGS = 18
TARGETS = {
    "first frame": (50, "ms"),
    "key to changed screen, 99th percentile": (20, "ms"),
    "written to the terminal, idle": (0, "B/s"),
    "written to the terminal, in a quiet call": (2048, "B/s"),
    "CPU in a call above `run`": (1, "%"),
    "memory with the UI": (20, "MB"),
    "memory after the messages": (60, "MB"),
}


def enter():
    """Goes on in a network and process namespace of its own."""
    if os.environ.get("OFFHOOK_BENCH") == "inside":
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        return
    if os.geteuid() != 0:
        sys.exit("The benchmark needs root, for the namespace.")
    os.environ["OFFHOOK_BENCH"] = "inside"
    flags = ["--net", "--pid", "--mount-proc", "--fork", "--kill-child"]
    os.execvp("unshare", ["unshare", *flags, sys.executable, *sys.argv])


def home(folder, name, port, calls, answers=False):
    """A home with a configuration."""
    place = folder / name
    (place / ".config/offhook").mkdir(parents=True)
    config = place / ".config/offhook/config.toml"
    config.write_text(
        f'[sip]\nlisten = "127.0.0.1:{port}"\n[audio]\ninput = "null"\noutput = "null"\nring = "null"\ncodecs = ["PCMU"]\n'
        f"[calls]\nmax_calls = {calls + 2}\nauto_answer = {str(answers).lower()}\ndirect_calls = true\n"
    )
    config.chmod(0o600)
    return {"HOME": str(place), "TERM": "xterm-256color", "LANG": "C.UTF-8", "PATH": os.environ["PATH"]}


class Terminal:
    """offhook in a pseudo-terminal."""

    def __init__(self, binary, env):
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            [binary], env=env, stdin=slave, stdout=slave, stderr=slave, start_new_session=True, preexec_fn=lambda: own(0)
        )
        os.close(slave)

    def type(self, text):
        os.write(self.master, text.encode())

    def read(self, seconds, until=None):
        """What is written within a time, or until a text appears; and when the last of it came."""
        seen, end, at = b"", time.monotonic() + seconds, None
        while (left := end - time.monotonic()) > 0:
            if not select.select([self.master], [], [], left)[0]:
                break
            try:
                seen += os.read(self.master, 65536)
            except OSError:  # the program has ended
                break
            at = time.monotonic()
            if until is not None and until in seen:
                return seen, at
        if until is not None:
            sys.exit(f"the screen never showed {until!r}; last: {seen[-400:]!r}")
        return seen, at

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + 4
        while self.process.poll() is None and time.monotonic() < deadline:
            self.read(0.05)
        self.process.kill()
        os.close(self.master)


def own(descriptor):
    """Makes the terminal that of this session."""
    fcntl.ioctl(descriptor, termios.TIOCSCTTY, 0)


def processor(pid):
    """Seconds of the processor that all threads of a process took."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def share(pid, seconds, idle):
    """What a process takes of a processor, in percent, while `idle` runs."""
    before, since = processor(pid), time.monotonic()
    idle(seconds)
    return 100 * (processor(pid) - before) / (time.monotonic() - since)


def memory(pid):
    """Resident memory in MB."""
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return 0.0


def first_frame(binary, folder, runs):
    """Milliseconds from before the process begins to a whole frame; the frame's last words are the footer's."""
    times = []
    for run in range(runs):
        terminal = Terminal(binary, home(folder, f"first{run}", 0, 8))
        _, at = terminal.read(5, until=b"help")
        times.append((at - terminal.started) * 1e3)
        terminal.end()
    return statistics.median(times)


class Bobs:
    """Phones that answer every call."""

    def __init__(self, binary, folder, calls, quiet, stack):
        self.logs = []
        self.placed = 0
        for number in range(calls // RINGS + 2):
            name = f"bob{number}"
            log = folder / f"{name}.log"
            env = home(folder, name, BOB + number, RINGS + 8, answers=True)
            bob = subprocess.Popen(
                [binary, "run", "--json"], env=env, **(quiet | {"stdout": stack.enter_context(log.open("wb"))})
            )
            stack.callback(bob.kill)
            self.logs.append(log)

    def next(self):
        """The port of the one whose turn it is."""
        self.placed += 1
        return BOB + (self.placed - 1) // RINGS

    def answered(self):
        return sum(log.read_text().count('"event":"established"') for log in self.logs)


def call(terminal, bobs):
    """Places a call, and waits until it is answered."""
    terminal.type(f":call sip:bob@127.0.0.1:{bobs.next()}\r")
    end = time.monotonic() + 10
    while bobs.answered() < bobs.placed:
        terminal.read(0.05)
        if time.monotonic() > end:
            screen = terminal.read(0.5)[0]
            sys.exit(f"nobody answered call {bobs.placed}: {screen[-800:]!r}")


def keys_to_screen(terminal, count):
    """Milliseconds from `?` to the frame that has the list of keys."""
    times = []
    for _ in range(count):
        pressed = time.monotonic()
        terminal.type("?")
        _, at = terminal.read(5, until=b"Keys")
        times.append((at - pressed) * 1e3)
        terminal.type("\x1b")
        terminal.read(0.08)
    times.sort()
    return times[min(len(times) - 1, int(len(times) * 0.99))]


def messages(terminal, count):
    """Asks the phone `count / 2` times for its options: as many requests and answers in its ladder."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.bind(("127.0.0.1", 0))
        asking.setblocking(False)
        port = asking.getsockname()[1]
        answered = lost = 0
        for number in range(count // 2):
            request = (
                f"OPTIONS sip:alice@127.0.0.1:{ALICE} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bK{number};rport\r\n"
                f"From: <sip:bench@127.0.0.1>;tag={number}\r\nTo: <sip:alice@127.0.0.1>\r\nCall-ID: {number}\r\n"
                "CSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
            )
            asking.sendto(request.encode(), ("127.0.0.1", ALICE))
            # The last one waits for all that are under way.
            window = 32 if number + 1 < count // 2 else 0
            deadline = time.monotonic() + 1
            while number - answered - lost >= window:
                # What the UI writes is read, as a terminal does: else it would wait.
                ready = select.select([asking, terminal.master], [], [], 0.1)[0]
                if terminal.master in ready:
                    os.read(terminal.master, 65536)
                with contextlib.suppress(BlockingIOError):
                    while asking.recv(4096):
                        answered += 1
                        deadline = time.monotonic() + 1
                if time.monotonic() > deadline:
                    lost = number + 1 - answered
        return answered


def tell(what):
    """Says how far it is."""
    print(f"measured: {what}", file=sys.stderr, flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=50)
    parser.add_argument("--keys", type=int, default=200)
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--offhook", type=pathlib.Path, default=ROOT / "target/release/offhook")
    options = parser.parse_args()
    binary = str(options.offhook.resolve())
    folder = pathlib.Path(tempfile.mkdtemp(prefix="offhook-ui-"))
    found = {}
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        quiet = {"stdin": subprocess.PIPE, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        bobs = Bobs(binary, folder, options.calls, quiet, stack)

        found["first frame"] = first_frame(binary, folder, 9)
        tell("the first frame")

        env = home(folder, "alice", ALICE, options.calls)
        run = subprocess.Popen([binary, "run"], env=env, **quiet)
        time.sleep(0.5)
        run.stdin.write(f"call sip:bob@127.0.0.1:{bobs.next()}\n".encode())
        run.stdin.flush()
        time.sleep(2)
        plain = share(run.pid, options.seconds, time.sleep)
        run.stdin.write(b"quit\n")
        run.stdin.flush()
        run.wait()

        terminal = Terminal(binary, env)
        stack.callback(terminal.end)
        pid = terminal.process.pid
        terminal.read(5, until=b"help")
        terminal.read(1)
        written, _ = terminal.read(options.seconds)
        found["written to the terminal, idle"] = len(written) / options.seconds
        call(terminal, bobs)
        terminal.read(2)
        seen = []
        busy = share(pid, options.seconds, lambda seconds: seen.append(terminal.read(seconds)[0]))
        found["written to the terminal, in a quiet call"] = len(seen[0]) / options.seconds
        found["CPU in a call above `run`"] = busy - plain
        found["memory with the UI"] = memory(pid)
        tell("one call")
        for _ in range(1, options.calls):
            call(terminal, bobs)
        tell("all calls")
        found["key to changed screen, 99th percentile"] = keys_to_screen(terminal, options.keys)
        tell("keys")
        terminal.type(":hangup all\r")
        terminal.read(3)
        replies = messages(terminal, options.messages)
        terminal.read(2)
        found["memory after the messages"] = memory(pid)
        print(f"{replies} of {options.messages // 2} requests answered; CPU in a call: run {plain:.2f} %, UI {busy:.2f} %")
    print(f"load average {os.getloadavg()[0]:.1f}; {options.calls} calls, {options.keys} keys, {options.messages} messages\n")
    print("| | measured | target |\n|---|---|---|")
    for name, (limit, unit) in TARGETS.items():
        value = found[name]
        print(f"| {name} | {value:.1f} {unit} | <= {limit}: {'yes' if value <= limit else 'no'} |")


if __name__ == "__main__":
    enter()
    main()
