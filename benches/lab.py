"""What all benchmarks stand on: a namespace of their own, Kamailio, two virtual sound cards, a capture, and the phones.

All programs run in a nameless network and process namespace, so nothing is seen from outside, any port is free, and when
the benchmark ends, however it ends, the kernel ends everything in it.
"""

import argparse
import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
CONFIGS = ROOT / "tests/peers/configs"
PROXY = ("127.0.0.1", 5060)
PROGRAMS = {
    "kamailio": "kamailio",
    "baresip": "baresip-core",
    "sipp": "sip-tester",
    "pulseaudio": "pulseaudio",
    "parec": "pulseaudio-utils",
    "dumpcap": "tshark",
    "sox": "sox",
}


def options(doc):
    """The options that all measurements have; `doc` is what --help says."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--offhook", type=pathlib.Path, default=Offhook.binary)
    parser.add_argument("--max-load", type=float, default=2.5, help="wait up to 5 minutes for less")
    return parser


def enter():
    """Goes on in a new network and process namespace."""
    if os.environ.get("OFFHOOK_BENCH") == "inside":
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        return
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    if os.geteuid() != 0:
        sys.exit("The benchmarks need root: for the namespace, the capture and the media thread's priority.")
    missing = [package for program, package in PROGRAMS.items() if shutil.which(program) is None]
    if missing:
        sys.exit(f"Missing: apt-get install --no-install-recommends {' '.join(missing)}")
    os.environ["OFFHOOK_BENCH"] = "inside"
    flags = ["--net", "--pid", "--mount-proc", "--fork", "--kill-child"]
    os.execvp("unshare", ["unshare", *flags, sys.executable, *sys.argv])


class Lab(contextlib.ExitStack):
    """Kamailio and, if wanted, the sound cards. What is started in it ends with it."""

    def __init__(self, sound):
        super().__init__()
        self.folder = pathlib.Path(self.enter_context(tempfile.TemporaryDirectory(prefix="offhook-bench-")))
        private = ("XDG_CONFIG_HOME", "XDG_RUNTIME_DIR", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME")
        self.env = {name: value for name, value in os.environ.items() if name not in private}
        self.env |= {
            "HOME": str(self.folder),
            "TERM": "dumb",
            "PULSE_RUNTIME_PATH": str(self.folder),
            "PULSE_SERVER": f"unix:{self.folder}/pulse.socket",
            "ALSA_CONFIG_PATH": str(CONFIGS / "asound.conf"),
        }
        self._kamailio()
        if sound:
            self._cards()

    def start(self, name, command, **options):
        """Starts a program with its output in a log; it is ended at the latest with the lab."""
        log = open(self.folder / f"{name}.log", "ab")
        options = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log} | options
        process = subprocess.Popen(list(map(str, command)), env=self.env, cwd=self.folder, **options)
        self.callback(end, process)
        return process

    def log(self, name):
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def _kamailio(self):
        command = ["kamailio", "-f", CONFIGS / "kamailio.cfg", "-DD", "-E", "-m", 32, "-M", 4]
        command += ["-l", "udp:127.0.0.1:5060", "-Y", self.folder, "-P", self.folder / "kamailio.pid"]
        self.start("kamailio", command)
        question = (
            "OPTIONS sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5061;branch=z9hG4bKready;rport\r\n"
            "From: <sip:ready@127.0.0.1>;tag=ready\r\nTo: <sip:127.0.0.1>\r\nCall-ID: ready\r\nCSeq: 1 OPTIONS\r\n"
            "Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
        )
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.bind(("127.0.0.1", 5061))
            asking.settimeout(0.1)

            def answers():
                asking.sendto(question.encode(), PROXY)
                try:
                    return asking.recv(2048)
                except (TimeoutError, ConnectionError):
                    return None

            wait_for("Kamailio", answers)

    def _cards(self):
        """A card is two null sinks: what is played into A_micin comes out of the source A_mic; A_spk is the speaker."""
        command = ["pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no", "--log-target=stderr"]
        command += ["--realtime=no", "--high-priority=no", "--disallow-exit"]
        modules = [f"module-native-protocol-unix socket={self.folder}/pulse.socket auth-anonymous=1"]
        for card in "AB":
            modules += [f"module-null-sink sink_name={card}_{end} rate=48000 channels=2" for end in ("spk", "micin")]
            modules += [f"module-remap-source source_name={card}_mic master={card}_micin.monitor"]
        for module in modules:
            command += ["-L", module]
        self.start("pulseaudio", command)
        listing = ["pactl", "list", "short", "sources"]
        wait_for("PulseAudio", lambda: b"B_mic\t" in subprocess.run(listing, env=self.env, capture_output=True).stdout)
        # A null sink without a hurried client renders two seconds at a time.
        for sink in ("A_spk", "A_micin", "B_spk", "B_micin"):
            record = ["parec", "--latency-msec=5", "--format=s16le", "--rate=8000", "--channels=1"]
            self.start(f"keep-{sink}", [*record, f"--device={sink}.monitor"], stdout=subprocess.DEVNULL)
        time.sleep(2.5)  # the two seconds that are rendered already


class Capture:
    """All UDP of the namespace while it runs."""

    def __init__(self, lab):
        self.file = lab.folder / "capture.pcap"
        self.file.unlink(missing_ok=True)
        self.process = lab.start("dumpcap", ["dumpcap", "-q", "-P", "-i", "lo", "-B", 64, "-f", "udp", "-w", self.file])
        # The file's header is written once the interface is open.
        wait_for("dumpcap", lambda: self.file.exists() and self.file.stat().st_size >= 24)
        time.sleep(0.2)

    def packets(self):
        """Ends the capture: a list of (time, source port, destination port, payload)."""
        time.sleep(0.3)
        end(self.process, signal.SIGINT)
        data = self.file.read_bytes()
        packets, at = [], 24
        while at + 16 <= len(data):
            seconds, micros, length, _ = struct.unpack_from("<IIII", data, at)
            frame = data[at + 16 : at + 16 + length]
            at += 16 + length
            ip = frame[14:]
            udp = ip[(ip[0] & 15) * 4 :] if frame[12:14] == b"\x08\x00" else b""
            if len(udp) >= 8:
                packets.append((seconds + micros / 1e6, *struct.unpack_from(">HH", udp), udp[8:]))
        return packets


class Watch:
    """Notices when the machine itself stands still, as virtual ones do.

    On each processor a thread of the highest real-time priority sleeps 2 ms at a time; nothing but the kernel or the
    hypervisor can keep it from waking in time.
    """

    SLEEPER = """
import os, sys, time
os.sched_setaffinity(0, {int(sys.argv[1])})
os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(99))
while True:
    before = time.monotonic()
    time.sleep(0.002)
    late = time.monotonic() - before - 0.002
    if late > 0.004:
        print(late * 1e3, flush=True)
"""

    def __init__(self, lab):
        self.file = lab.folder / "watch.log"
        self.file.unlink(missing_ok=True)
        cpus = sorted(os.sched_getaffinity(0))
        self.processes = [lab.start("watch", [sys.executable, "-c", self.SLEEPER, cpu]) for cpu in cpus]

    def stop(self):
        """The longest standstill in milliseconds; 0: none over 4 ms."""
        for process in self.processes:
            end(process)
        return max(map(float, self.file.read_text().split()), default=0.0)


class Offhook:
    """`offhook run`, driven by its standard input."""

    name = "offhook"
    binary = ROOT / "target/release/offhook"
    codec = "PCMU"
    processing = ""  # of the microphone: echo, noise

    def __init__(self, lab, user, port, *, card=None, auto_answer=False, calls=8):
        self.port = port
        mouth, ear = (f"{card}_mic", f"{card}_spk") if card else ("tone:1000", "null")
        config = lab.folder / f"{user}.toml"
        config.write_text(
            f'[[account]]\nuri = "sip:{user}@127.0.0.1"\npassword = "{user}pw"\n'
            f'[sip]\nlisten = "127.0.0.1:{port}"\n'
            f'[audio]\ninput = "{mouth}"\noutput = "{ear}"\nring = "{ear}"\ncodecs = ["{self.codec}"]\n'
            f"echo_cancellation = {str('echo' in self.processing).lower()}\n"
            f"noise_suppression = {str('noise' in self.processing).lower()}\n"
            f"[calls]\nauto_answer = {str(auto_answer).lower()}\nmax_calls = {calls}\n"
        )
        config.chmod(0o600)
        command = [self.binary, "--config", config, "run", "--json"]
        self.started = time.time()
        self.process = lab.start(f"offhook-{user}", command, stdin=subprocess.PIPE)

    def _tell(self, line):
        self.process.stdin.write(f"{line}\n".encode())
        self.process.stdin.flush()

    def call(self, user):
        self._tell(f"call sip:{user}@127.0.0.1")

    def hangup(self):
        self._tell("hangup")

    def quit(self):
        end(self.process)


class Baresip:
    """baresip, driven by its control port."""

    name = "baresip"
    codec = "pcmu"

    def __init__(self, lab, user, port, *, card=None, auto_answer=False, calls=8):
        self.port, self.control = port, port + 1000
        folder = lab.folder / f"baresip-{user}"
        folder.mkdir(exist_ok=True)
        tone = lab.folder / "tone.wav"
        if not card and not tone.exists():
            sine = ["synth", "120", "sine", "1000"]
            subprocess.run(["sox", "-n", "-r", "8000", "-c", "1", "-b", "16", tone, *sine], check=True)
        values = {
            "SIP_PORT": port,
            "CONTROL_PORT": self.control,
            "RTP_FIRST": 20000,
            "RTP_LAST": 29998,
            "PLAYER": f"alsa,card{card}" if card else "aubridge,nil",
            "SOURCE": f"alsa,card{card}" if card else f"aufile,{tone}",
            "MODULES": next(pathlib.Path("/usr/lib").glob("**/baresip/modules")),
        }
        text = (CONFIGS / "baresip.conf").read_text()
        text = re.sub(r"\{([A-Z_]+)\}", lambda found: str(values.get(found[1], found[0])), text)
        text += "module\t\t\topus.so\n" if self.codec.startswith("opus") else ""
        (folder / "config").write_text(f"{text}call_max_calls\t\t{calls}\n")
        mode = "auto" if auto_answer else "manual"
        (folder / "accounts").write_text(
            f'<sip:{user}@127.0.0.1>;auth_user={user};auth_pass={user}pw;outbound="sip:127.0.0.1:5060";'
            f"answermode={mode};audio_codecs={self.codec};regint=3600;ptime=20\n"
        )
        (folder / "contacts").write_text("")
        command = ["baresip", "-f", folder]
        self.started = time.time()
        self.process = lab.start(f"baresip-{user}", command)

    def _tell(self, command, parameters=""):
        request = json.dumps({"command": command, "params": parameters})
        with socket.create_connection(("127.0.0.1", self.control)) as control:
            control.sendall(f"{len(request)}:{request},".encode())
            control.settimeout(2)
            control.recv(4096)

    def call(self, user):
        self._tell("dial", f"sip:{user}@127.0.0.1")

    def hangup(self):
        self._tell("hangup")

    def quit(self):
        end(self.process)


def end(process, how=signal.SIGTERM):
    """Ends a process that we started, kindly first."""
    if process.poll() is None:
        process.send_signal(how)
        try:
            process.wait(4)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_for(what, ready, seconds=10):
    limit = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > limit:
            raise SystemExit(f"{what} is not ready after {seconds} s")
        time.sleep(0.02)


def wait_for_quiet(limit, patience=300):
    """Waits for a load average below the limit, up to `patience` seconds; returns the load average."""
    until = time.monotonic() + patience
    while os.getloadavg()[0] > limit and time.monotonic() < until:
        time.sleep(2)
    return os.getloadavg()[0]


def memory(process):
    """Resident memory in MB (VmRSS) and the number of threads."""
    status = dict(line.split(":", 1) for line in open(f"/proc/{process.pid}/status"))
    return int(status["VmRSS"].split()[0]) / 1024, int(status["Threads"])


def cpu_seconds(process):
    """Processor time of all threads so far, ended ones too: the clock that clock_getcpuclockid(3) names."""
    return time.clock_gettime((~process.pid << 3) | 2)


def machine():
    """What the figures were made on."""
    model = re.search(r"model name\s*: (.*)", open("/proc/cpuinfo").read())
    name, kernel = model[1] if model else os.uname().machine, os.uname().release.split("-")[0]
    return f"{os.cpu_count()} x {name}, Linux {kernel}, {time.strftime('%Y-%m-%d')}"


def versions():
    ours = subprocess.run([Offhook.binary, "--version"], capture_output=True, text=True).stdout.strip()
    # baresip names its version only when it starts.
    theirs = subprocess.run(["dpkg-query", "-W", "-f=${Version}", "baresip-core"], capture_output=True, text=True).stdout
    return f"{ours or 'offhook'}, baresip {theirs}"
