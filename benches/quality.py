#!/usr/bin/python3
"""Speech over a bad network, from one phone to another of its kind: offhook and baresip in turn, with the same pattern.

    benches/quality.py [--runs N] [--offhook PATH] [--only offhook|baresip] [--part loss|jitter] [--codec PCMU|Opus]
    benches/quality.py --simulated [--runs N]

What the phones say of each other passes a relay, which loses and delays the packets that go one way by a seeded pattern. Quality
is PESQ (ITU-T P.862, P.862.2 for Opus) of what the speaker played against the speech; delay is that of chirps.

Simulated, offhook's sessions alone talk to each other, without a clock or a sound card (benches/voice.rs): a minute for all of it.
"""

import argparse
import heapq
import json
import os
import pathlib
import re
import selectors
import socket
import statistics
import subprocess
import tempfile
import threading
import time

import numpy as np
from pesq import pesq
from scipy.io import wavfile
from scipy.signal import resample_poly

import lab as bench
from lab import CONFIGS, Lab
from pair import RATE, SAMPLES, Recorder, mouth_to_ear, write_chirps

TEXT = (
    "The birch canoe slid on the smooth planks. Glue the sheet to the dark blue background. "
    "It is easy to tell the depth of a well. These days a chicken leg is a rare dish. "
    "Rice is often served in round bowls. The juice of lemons makes fine punch."
)
CALLER, RELAY, CALLEE = 5110, 5200, 5120
# Name, part lost, packets that are lost in a row (mean).
LOSSES = [("0 %", 0, 1), ("5 %", 0.05, 1), ("10 %", 0.1, 1), ("20 %", 0.2, 1), ("10 %, bursts of 3", 0.1, 3)]
JITTERS = [0, 5, 20, 60]
CODECS = {"PCMU": ("PCMU", "pcmu"), "Opus": ("opus", "opus")}


class Pattern:
    """What becomes of the packets, in their order: lost, or late by so many seconds. The same for everybody."""

    def __init__(self, seed, loss=0, burst=1, jitter_ms=0):
        random, count = np.random.default_rng(seed), 10000
        self.lost, bad = [], False
        for draw in random.random(count):
            # Two states (Gilbert): a bad one ends after `burst` packets on average.
            bad = draw >= 1 / burst if bad and burst > 1 else draw < loss / (burst * (1 - loss))
            self.lost.append(bad)
        self.late = random.random(count) * jitter_ms / 1000


class Relay(threading.Thread):
    """Between both phones: SIP with other RTP ports in it, and what comes to those. From its start on, packets to the callee
    suffer the pattern."""

    def __init__(self):
        super().__init__(daemon=True)
        self.sip = self.open(RELAY)
        self.to_callee, self.to_caller = (self.open(port) for port in (41000, 41002))
        self.selector, self.waiting, self.ports = selectors.DefaultSelector(), [], {}
        self.pattern, self.count, self.running = None, 0, True
        for each in (self.sip, self.to_callee, self.to_caller):
            self.selector.register(each, selectors.EVENT_READ)

    @staticmethod
    def open(port):
        one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        one.bind(("127.0.0.1", port))
        return one

    def suffer(self, pattern):
        self.pattern, self.count = pattern, 0

    def run(self):
        while self.running:
            wait = max(0, self.waiting[0][0] - time.monotonic()) if self.waiting else 0.1
            for key, _ in self.selector.select(wait):
                data, source = key.fileobj.recvfrom(4096)
                if key.fileobj is self.sip:
                    self.signal(data, source)
                elif key.fileobj is self.to_callee:
                    self.delay(data)
                elif "caller" in self.ports:
                    self.to_callee.sendto(data, ("127.0.0.1", self.ports["caller"]))
            while self.waiting and self.waiting[0][0] <= time.monotonic():
                self.to_caller.sendto(heapq.heappop(self.waiting)[2], ("127.0.0.1", self.ports["callee"]))

    def signal(self, data, source):
        """Requests come from the caller, answers from the callee."""
        side, to = ("callee", CALLER) if source[1] == CALLEE else ("caller", CALLEE)
        head, _, body = data.decode(errors="replace").partition("\r\n\r\n")
        if found := re.search(r"^m=audio (\d+)", body, re.M):
            self.ports[side] = int(found[1])
            # What the caller's description names is where the callee sends to.
            port = 41002 if side == "caller" else 41000
            body = body.replace(f"m=audio {found[1]}", f"m=audio {port}", 1)
            body = re.sub(r"^a=rtcp:.*\r\n", "", body, flags=re.M)
            head = re.sub(r"(?im)^(content-length|l)\s*:.*$", f"Content-Length: {len(body)}", head)
        self.sip.sendto(f"{head}\r\n\r\n{body}".encode(), ("127.0.0.1", to))

    def delay(self, data):
        """A packet to the callee. RTCP, on the same port if the phones like, passes."""
        late, is_rtcp = 0, len(data) > 1 and 192 <= data[1] <= 223
        if self.pattern and not is_rtcp:
            n, self.count = self.count % 10000, self.count + 1
            if self.pattern.lost[n]:
                return
            late = self.pattern.late[n]
        heapq.heappush(self.waiting, (time.monotonic() + late, time.monotonic_ns(), data))

    def close(self):
        self.running = False
        self.join()
        for each in (self.sip, self.to_callee, self.to_caller):
            each.close()


class Offhook:
    name = "offhook"
    binary = bench.Offhook.binary

    def __init__(self, lab, user, port, card, codec, auto_answer=False):
        config = lab.folder / f"{user}.toml"
        config.write_text(
            f'[[account]]\nuri = "sip:{user}@127.0.0.1"\nregister = false\n[sip]\nlisten = "127.0.0.1:{port}"\n'
            f'[audio]\ninput = "{card}_mic"\noutput = "{card}_spk"\nring = "null"\ncodecs = ["{CODECS[codec][0]}"]\n'
            # The speech is measured, not what is done to it.
            "echo_cancellation = false\nnoise_suppression = false\nauto_gain = false\n"
            f"[calls]\nauto_answer = {str(auto_answer).lower()}\ndirect_calls = true\n"
        )
        config.chmod(0o600)
        self.log = lab.folder / f"offhook-{user}.log"
        command = [self.binary, "--config", config, "run", "--json"]
        self.process = lab.start(f"offhook-{user}", command, stdin=subprocess.PIPE)

    def call(self):
        self.process.stdin.write(f"call sip:bob@127.0.0.1:{RELAY}\n".encode())
        self.process.stdin.flush()

    def quit(self):
        bench.end(self.process)


class Baresip:
    name = "baresip"

    def __init__(self, lab, user, port, card, codec, auto_answer=False):
        folder = lab.folder / f"baresip-{user}"
        folder.mkdir(exist_ok=True)
        values = {
            "SIP_PORT": port,
            "CONTROL_PORT": port + 1000,
            "RTP_FIRST": 20000,
            "RTP_LAST": 29998,
            "PLAYER": f"alsa,card{card}",
            "SOURCE": f"alsa,card{card}",
            "MODULES": next(pathlib.Path("/usr/lib").glob("**/baresip/modules")),
        }
        text = (CONFIGS / "baresip.conf").read_text()
        text = re.sub(r"\{([A-Z_]+)\}", lambda found: str(values.get(found[1], found[0])), text)
        # Everything it has for this: its concealment of G.711 (spandsp), FEC of Opus.
        text += "module\t\topus.so\nmodule\t\tplc.so\nopus_inbandfec\tyes\nopus_packet_loss\t10\nopus_bitrate\t32000\n"
        (folder / "config").write_text(text)
        mode = "auto" if auto_answer else "manual"
        (folder / "accounts").write_text(
            f"<sip:{user}@127.0.0.1>;regint=0;answermode={mode};audio_codecs={CODECS[codec][1]};ptime=20\n"
        )
        (folder / "contacts").write_text("")
        self.control = port + 1000
        self.process = lab.start(f"baresip-{user}", ["baresip", "-f", folder])

    def call(self):
        request = f'{{"command": "dial", "params": "sip:bob@127.0.0.1:{RELAY}"}}'
        with socket.create_connection(("127.0.0.1", self.control)) as control:
            control.sendall(f"{len(request)}:{request},".encode())
            control.settimeout(2)
            control.recv(4096)

    def quit(self):
        bench.end(self.process)


def speech(folder, rate=RATE):
    """Speech at this rate, and its file."""
    wav, raw = folder / "speech.wav", folder / "speech.raw"
    subprocess.run(["espeak-ng", "-v", "en-us", "-s", "150", "-w", wav, TEXT], check=True)
    subprocess.run(["sox", wav, "-t", "raw", "-r", str(rate), "-c", "1", "-b", "16", raw, "norm", "-6"], check=True)
    return np.fromfile(raw, dtype="<i2").astype(float), raw


def call(lab, kind, codec, pattern, raw, seconds):
    """Plays a file into the microphone of a call over the pattern: what was spoken and heard."""
    relay = Relay()
    relay.start()
    caller = kind(lab, "alice", CALLER, "A", codec)
    callee = kind(lab, "bob", CALLEE, "B", codec, auto_answer=True)
    try:
        time.sleep(2)
        caller.call()
        time.sleep(2)
        relay.suffer(pattern)
        # The sender learns of the loss by RTCP, and the receiver's buffer of the jitter.
        time.sleep(8)
        spoken, heard = Recorder(lab, "A_micin.monitor"), Recorder(lab, "B_spk.monitor")
        time.sleep(0.5)
        playing = lab.start("pacat", ["pacat", "--playback", "--device=A_micin", "--latency-msec=20", *SAMPLES, raw])
        playing.wait(seconds + 20)
        time.sleep(1)
        return spoken.stop(), heard.stop()
    finally:
        caller.quit()
        callee.quit()
        relay.close()


def quality(codec, spoken, heard):
    """PESQ of what was heard against what went into the microphone."""
    rate, mode = (8000, "nb") if codec == "PCMU" else (16000, "wb")
    (mouth, mouth_start), (ear, ear_start) = spoken, heard
    begin = int(np.argmax(np.abs(mouth) > 200))
    end = len(mouth) - int(np.argmax(np.abs(mouth[::-1]) > 200))
    offset = int((mouth_start - ear_start) * RATE)
    cut = lambda sound, first, last: sound[max(0, first) : last]
    ear = cut(ear, begin + offset - RATE // 4, end + offset + RATE // 2)
    mouth = cut(mouth, begin - RATE // 4, end + RATE // 2)
    if len(ear) < RATE or ear.std() < 5:
        return float("nan")
    small = lambda sound: np.clip(resample_poly(sound, 1, RATE // rate), -32768, 32767).astype(np.int16)
    return pesq(rate, small(mouth), small(ear), mode)


def simulated(runs):
    """The same table of a session alone."""
    built = subprocess.run(
        ["cargo", "build", "--bench", "voice", "--message-format=json"], stdout=subprocess.PIPE, check=True, text=True
    )
    messages = map(json.loads, built.stdout.splitlines())
    voice = next(m["executable"] for m in messages if m.get("executable") and m["target"]["name"] == "voice")
    networks = [(name, loss, burst, 0) for name, loss, burst in LOSSES]
    networks += [(f"{jitter} ms of jitter", 0, 1, jitter) for jitter in JITTERS if jitter]
    print("| PESQ, simulated | PCMU | Opus |\n|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        for name, loss, burst, jitter in networks:
            row = []
            for codec in CODECS:
                rate, heard_raw = {"PCMU": 8000, "Opus": RATE}[codec], folder / "heard.raw"
                spoken, raw = speech(folder, rate)
                scores = []
                for seed in range(1, runs + 1):
                    network = [str(value) for value in (loss, burst, jitter, seed)]
                    subprocess.run([voice, CODECS[codec][0], *network, raw, heard_raw], check=True)
                    heard = np.fromfile(heard_raw, dtype="<i2").astype(float)
                    wide = [resample_poly(sound, RATE // rate, 1) for sound in (spoken, heard)]
                    scores.append(quality(codec, (wide[0], 0), (wide[1], 0)))
                row.append(f"{statistics.mean(scores):.2f}")
            print(f"| {name} | {' | '.join(row)} |", flush=True)


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--runs", type=int, default=2, help="patterns for each row")
    options.add_argument("--offhook", type=pathlib.Path, default=Offhook.binary)
    options.add_argument("--only", choices=["offhook", "baresip"])
    options.add_argument("--part", choices=["loss", "jitter"])
    options.add_argument("--codec", choices=list(CODECS))
    options.add_argument("--simulated", action="store_true")
    options = options.parse_args()
    if options.simulated:
        return simulated(options.runs)
    bench.enter()
    Offhook.binary = bench.Offhook.binary = options.offhook.resolve()
    kinds = [kind for kind in (Offhook, Baresip) if options.only in (None, kind.name)]
    print(f"{bench.machine()}; {bench.versions()}; load average {os.getloadavg()[0]:.1f}; means of {options.runs} runs\n")
    with Lab(sound=True) as lab:
        _, raw = speech(lab.folder)
        if options.part != "jitter":
            print(f"| PESQ at loss | {' | '.join(kind.name for kind in kinds)} |\n|---|{'---|' * len(kinds)}", flush=True)
            for codec in [codec for codec in CODECS if options.codec in (None, codec)]:
                for name, loss, burst in LOSSES:
                    row = []
                    for kind in kinds:
                        scores = [
                            quality(codec, *call(lab, kind, codec, Pattern(seed, loss, burst), raw, 15))
                            for seed in range(options.runs)
                        ]
                        row.append(f"{statistics.mean(scores):.2f}")
                    print(f"| {codec}, {name} | {' | '.join(row)} |", flush=True)
        if options.part != "loss":
            chirps = lab.folder / "chirps.raw"
            write_chirps(chirps, 15)
            print(f"\n| at jitter, PCMU | {' | '.join(kind.name for kind in kinds)} |\n|---|{'---|' * len(kinds)}")
            for jitter in JITTERS:
                delays, scores = [], []
                for kind in kinds:
                    patterns = [Pattern(seed, jitter_ms=jitter) for seed in range(options.runs)]
                    heard = [mouth_to_ear(*call(lab, kind, "PCMU", one, chirps, 15)) for one in patterns]
                    delays.append(f"{statistics.median(sum(heard, [])):.1f}" if any(heard) else "-")
                    speeches = [quality("PCMU", *call(lab, kind, "PCMU", one, raw, 15)) for one in patterns]
                    scores.append(f"{statistics.mean(speeches):.2f}")
                print(f"| {jitter} ms: mouth to ear, ms | {' | '.join(delays)} |", flush=True)
                print(f"| {jitter} ms: PESQ | {' | '.join(scores)} |", flush=True)


if __name__ == "__main__":
    main()
