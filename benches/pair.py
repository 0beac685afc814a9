#!/usr/bin/python3
"""One phone calls another of its kind through Kamailio, with sound: offhook and baresip in turn, medians at the end.

    benches/pair.py [--runs N] [--seconds S] [--offhook PATH] [--only offhook|baresip] [--codec opus] [--processing STEPS]
"""

import json
import os
import statistics
import subprocess
import threading
import time

import numpy as np

import lab as bench
from lab import Baresip, Capture, Lab, Offhook, Watch, cpu_seconds, memory

RATE = 48000  # of the virtual cards
SAMPLES = ["--raw", "--format=s16le", f"--rate={RATE}", "--channels=1"]
STANDSTILL = 5  # milliseconds; a run in which the machine stood still for longer is made again
ATTEMPTS = 4
SHORT_CALLS = 5  # of each kind, in each run
CALLER, RINGS, ANSWERS = ("alice", 5110), ("carol", 5130), ("bob", 5120)

# The figure, its unit, what it may be at most: times baresip's, or in its own unit.
FIGURES = [
    ("start to registered", "ms", "1x"),
    ("idle memory (RSS)", "MB", "1x"),
    ("idle threads", "", None),
    ("idle CPU", "%", None),
    ("CPU in one call", "%", "1x"),
    ("memory in the call (RSS)", "MB", None),
    ("INVITE to 180, a call that rings", "ms", "1.5x"),
    ("INVITE to 200, auto-answer", "ms", "0.1x"),
    ("200 to first RTP, callee", "ms", "10"),
    ("mouth to ear", "ms", "45"),
    ("mouth to ear, worst beyond that", "ms", "10"),
    ("RTP spacing, standard deviation", "ms", "0.1"),
    ("RTP spacing, 99th percentile off 20 ms", "ms", "0.5"),
    ("longest standstill of the machine", "ms", None),
]


class Recorder:
    """What a card plays, and when each sample of it could be had."""

    def __init__(self, lab, source):
        command = ["parec", "--latency-msec=5", f"--device={source}", *SAMPLES]
        self.process = lab.start("parec", command, stdout=subprocess.PIPE, bufsize=0)
        self.parts, self.starts = [], []
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        samples = 0
        while part := os.read(self.process.stdout.fileno(), 65536):
            samples += len(part) // 2
            self.parts.append(part)
            self.starts.append(time.monotonic() - samples / RATE)

    def stop(self):
        """The samples and the moment of the first: that of the blocks read with the least delay."""
        bench.end(self.process)
        self.thread.join()
        start = np.percentile(self.starts[5:], 1)
        return np.frombuffer(b"".join(self.parts), dtype="<i2").astype(float), start


def chirp():
    t = np.arange(int(0.06 * RATE)) / RATE
    return np.sin(2 * np.pi * (400 * t + 2800 / 0.12 * t * t)) * np.hanning(len(t)) * 0.6


def write_chirps(path, seconds):
    """A chirp each 0.7 s, a little off beat so that no fixed period hides a delay."""
    random, sound = np.random.default_rng(1), np.zeros(int((seconds + 0.3) * RATE))
    for n in range(int((seconds - 0.5) / 0.7)):
        at = int((0.3 + n * 0.7 + random.uniform(0, 0.08)) * RATE)
        sound[at : at + len(chirp())] += chirp()
    (sound * 32767).astype("<i2").tofile(path)


def chirp_times(samples, start):
    """When the chirps were heard: the peaks of the correlation with one."""
    one = chirp()
    size = len(samples) + len(one)
    likeness = np.abs(np.fft.irfft(np.fft.rfft(samples, size) * np.conj(np.fft.rfft(one, size)), size))[: len(samples)]
    times, at = [], 0
    while len(over := np.nonzero(likeness[at:] > likeness.max() * 0.4)[0]):
        at += over[0]
        peak = at + int(np.argmax(likeness[at : at + int(0.04 * RATE)]))
        times.append(start + peak / RATE)
        at = peak + int(0.35 * RATE)
    return times


def mouth_to_ear(spoken, heard):
    """Milliseconds from the microphone to the speaker, of each chirp."""
    if heard[0].std() < 5:
        return []
    mouth, ear = chirp_times(*spoken), chirp_times(*heard)
    delays = [[(e - m) * 1e3 for e in ear if -0.005 < e - m < 0.65] for m in mouth]
    return [delay[0] for delay in delays if delay]


def text(packet):
    return packet[3].decode(errors="replace") if packet[3][:1].isalpha() else ""


def is_reply(packet, code, method):
    message = text(packet)
    return message.startswith(f"SIP/2.0 {code} ") and f" {method}\r\n" in message


def call_id(packet):
    return next((line for line in text(packet).split("\r\n") if line.lower().startswith("call-id")), None)


def registered(packets, phone):
    """Milliseconds from the start of the program to the 200 to its REGISTER."""
    time_of = [p[0] for p in packets if p[2] == phone.port and is_reply(p, 200, "REGISTER") and p[0] > phone.started]
    return (time_of[0] - phone.started) * 1e3


def answer_times(packets, phone, code):
    """Milliseconds from each INVITE's arrival to this reply's departure, and the time of the last reply."""
    invites = {}
    for packet in packets:
        if packet[2] == phone.port and text(packet).startswith("INVITE "):
            invites.setdefault(call_id(packet), packet[0])
    times, last = [], 0
    for packet in packets:
        if packet[1] == phone.port and is_reply(packet, code, "INVITE") and call_id(packet) in invites:
            times.append((packet[0] - invites.pop(call_id(packet))) * 1e3)
            last = packet[0]
    return times, last


def rtp_streams(packets, since, until):
    """The times of the RTP packets between two moments, by source port."""
    streams = {}
    for at, source, _, payload in packets:
        is_sound = payload[:1] == b"\x80" and (payload[1] & 127 == 0 or 96 <= payload[1] & 127)
        if since < at < until and is_sound:
            streams.setdefault(source, []).append(at)
    return [np.array(times) for times in streams.values() if len(times) > 100]


def first_rtp(packets, answer):
    """Milliseconds from the last 200 to the first RTP packet of the one who sent it: the port that the answer names."""
    sent = next(p for p in packets if p[0] == answer)
    port = int(text(sent).split("m=audio ")[1].split()[0])
    return (next(p[0] for p in packets if p[0] > answer and p[1] == port) - answer) * 1e3


def run(lab, kind, seconds):
    """One run of one program: its figures."""
    capture = Capture(lab)
    caller = kind(lab, *CALLER, card="A")
    time.sleep(1.5)
    rings = kind(lab, *RINGS, card="B")
    time.sleep(2)
    figures = dict(zip(("idle memory (RSS)", "idle threads"), memory(caller.process)))
    figures["idle CPU"] = cpu_share([caller], 2)
    for _ in range(SHORT_CALLS):
        caller.call(RINGS[0])
        time.sleep(0.6)
        caller.hangup()
        time.sleep(0.6)
    rings.quit()

    answers = kind(lab, *ANSWERS, card="B", auto_answer=True)
    time.sleep(2)
    for _ in range(SHORT_CALLS):
        caller.call(ANSWERS[0])
        time.sleep(1.2)
        caller.hangup()
        time.sleep(0.8)
    spoken, heard = Recorder(lab, "A_micin.monitor"), Recorder(lab, "B_spk.monitor")
    caller.call(ANSWERS[0])
    time.sleep(2)
    chirps = lab.folder / "chirps.raw"
    write_chirps(chirps, seconds)
    playing = lab.start("pacat", ["pacat", "--playback", "--device=A_micin", "--latency-msec=20", *SAMPLES, chirps])
    steady, watch = time.time(), Watch(lab)
    figures["CPU in one call"] = cpu_share([caller, answers], seconds)
    figures["longest standstill of the machine"], until = watch.stop(), time.time()
    figures["memory in the call (RSS)"] = memory(caller.process)[0]
    playing.wait(30)
    spoken, heard = spoken.stop(), heard.stop()
    caller.hangup()
    time.sleep(0.5)
    caller.quit()
    answers.quit()
    packets = capture.packets()

    figures["start to registered"] = statistics.median(registered(packets, phone) for phone in (caller, rings, answers))
    figures["INVITE to 180, a call that rings"] = statistics.median(answer_times(packets, rings, 180)[0])
    times, answer = answer_times(packets, answers, 200)
    figures["INVITE to 200, auto-answer"] = statistics.median(times)
    figures["200 to first RTP, callee"] = first_rtp(packets, answer)
    delays = mouth_to_ear(spoken, heard)
    figures["mouth to ear"] = statistics.median(delays)
    figures["mouth to ear, worst beyond that"] = max(delays) - figures["mouth to ear"]
    streams = [np.diff(times) * 1e3 for times in rtp_streams(packets, steady, until)]
    off = [float(np.percentile(np.abs(gaps - 20), 99)) for gaps in streams]
    figures["RTP spacing, standard deviation"] = statistics.mean(float(gaps.std()) for gaps in streams)
    figures["RTP spacing, 99th percentile off 20 ms"] = statistics.mean(off)
    if len(streams) != 2 or len(times) != SHORT_CALLS + 1:
        log = lab.log(f"{kind.name}-alice")
        raise SystemExit(f"{kind.name}: {len(streams)} RTP streams, {len(times)} calls answered\n{log}")
    return figures


def steady_run(lab, kind, number, options):
    """A run during which the machine did not stand still, if one of the attempts is such; all of them are printed."""
    attempts = []
    stood_still = lambda attempt: attempt[1]["longest standstill of the machine"]
    while len(attempts) < ATTEMPTS and not (attempts and stood_still(attempts[-1]) < STANDSTILL):
        load = bench.wait_for_quiet(options.max_load)
        attempts.append((load, run(lab, kind, options.seconds)))
        rounded = {key: round(value, 3) for key, value in attempts[-1][1].items()}
        print(json.dumps({"run": number, "of": kind.name, "load": round(load, 2)} | rounded), flush=True)
    return min(attempts, key=stood_still)


def cpu_share(phones, seconds):
    """Percent of one processor that a phone took, on average."""
    before, start = [cpu_seconds(phone.process) for phone in phones], time.monotonic()
    time.sleep(seconds)
    took = time.monotonic() - start
    return statistics.mean((cpu_seconds(phone.process) - b) / took * 100 for phone, b in zip(phones, before))


def verdict(ours, theirs, target):
    if target is None:
        return ""
    limit = theirs * float(target[:-1]) if target.endswith("x") else float(target)
    return f"{'<= ' + target}: {'yes' if ours <= limit else 'NO'}"


def table(results):
    middle = lambda runs: {key: statistics.median(run[key] for run in runs) for key, _, _ in FIGURES}
    medians = {name: middle(runs) for name, runs in results.items()}
    if len(medians) < 2:
        return "\n".join(f"{key}: {value:.2f}" for key, value in next(iter(medians.values())).items())
    lines = ["| | offhook | baresip | offhook / baresip | target |", "|---|---|---|---|---|"]
    for key, unit, target in FIGURES:
        ours, theirs = medians["offhook"][key], medians["baresip"][key]
        ratio = f"{ours / theirs:.2f}" if theirs else "-"
        lines.append(f"| {key} | {ours:.2f} {unit} | {theirs:.2f} {unit} | {ratio} | {verdict(ours, theirs, target)} |")
    return "\n".join(lines)


def main():
    options = bench.options(__doc__)
    options.add_argument("--runs", type=int, default=5)
    options.add_argument("--seconds", type=float, default=8, help="of sound in the measured call")
    options.add_argument("--only", choices=["offhook", "baresip"])
    options.add_argument("--codec", choices=["pcmu", "opus"], default="pcmu")
    options.add_argument("--processing", default="", help="what offhook does to the voice: echo, noise or echo,noise")
    options = options.parse_args()
    bench.enter()
    Offhook.binary = options.offhook.resolve()
    Offhook.codec, Baresip.codec = {"pcmu": ("PCMU", "pcmu"), "opus": ("opus", "opus/48000/2")}[options.codec]
    Offhook.processing = options.processing
    if options.codec == "opus":
        FIGURES[:] = [(key, unit, "52" if key == "mouth to ear" else target) for key, unit, target in FIGURES]
    if options.processing:
        FIGURES[:] = [(key, unit, "2x" if key == "CPU in one call" else target) for key, unit, target in FIGURES]
    kinds = [kind for kind in (Offhook, Baresip) if options.only in (None, kind.name)]
    results, loads = {kind.name: [] for kind in kinds}, []
    with Lab(sound=True) as lab:
        for n in range(options.runs):
            for kind in kinds if n % 2 == 0 else kinds[::-1]:
                load, figures = steady_run(lab, kind, n + 1, options)
                loads.append(load)
                results[kind.name].append(figures)
    print(f"\n{bench.machine()}; {bench.versions()}; load average {min(loads):.1f} to {max(loads):.1f}", end="; ")
    print(f"medians of {options.runs} runs\n")
    print(table(results))


if __name__ == "__main__":
    main()
