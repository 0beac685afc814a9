#!/usr/bin/python3
"""One auto-answering phone (a tone in, nothing out) under SIPp's calls through Kamailio: offhook and baresip in turn.

    benches/load.py [--runs N] [--offhook PATH] [--only offhook|baresip] [--held N [--echo]] [--fresh]
"""

import json
import re
import resource
import statistics
import time

import lab as bench
from lab import CONFIGS, Baresip, Lab, Offhook, cpu_seconds, memory

PHONE = ("bob", 5120)
RATES = (10, 25, 50, 100)  # calls a second
ROUND = 5  # seconds of each
HELD, SET_UP = 200, 25  # calls held at once, set up at so many a second
ECHO = False  # whether SIPp sends the RTP back that it gets: sound both ways
WINDOW = 8  # seconds in which the CPU of the held calls is taken


def sipp(lab, calls, rate, hold_ms):
    """Starts SIPp as the caller of so many calls; it sends no RTP."""
    command = ["sipp", "-sf", CONFIGS / "uac.xml", "127.0.0.1:5060", "-i", "127.0.0.1", "-p", 5990, "-mp", 30000]
    command += ["-s", PHONE[0], "-au", "sipp", "-ap", "sipppw", "-m", calls, "-l", calls, "-r", rate, "-d", hold_ms]
    command += ["-rtp_echo"] if ECHO else []
    command += ["-nostdin", "-recv_timeout", 8000, "-timeout", 90]
    (lab.folder / "sipp.log").unlink(missing_ok=True)
    return lab.start("sipp", command)


def failed(lab, process, calls):
    """How many calls failed or never ended, when it is done."""
    process.wait(120)
    good = re.findall(r"Successful call\s*\|[^|]*\|\s*(\d+)", lab.log("sipp"))
    return calls - int(good[-1] if good else 0)


def run(lab, kind):
    phone = kind(lab, *PHONE, auto_answer=True, calls=max(500, HELD + 100))
    time.sleep(2)
    figures = {"idle memory": memory(phone.process)[0]}
    for rate in RATES:
        before = cpu_seconds(phone.process)
        figures[f"{rate} calls/s: failed"] = failed(lab, sipp(lab, rate * ROUND, rate, 200), rate * ROUND)
        figures[f"{rate} calls/s: CPU of a call"] = (cpu_seconds(phone.process) - before) / (rate * ROUND) * 1e3
        figures[f"{rate} calls/s: memory"] = memory(phone.process)[0]
    set_up = HELD / SET_UP
    calls = sipp(lab, HELD, SET_UP, int((set_up + WINDOW + 5) * 1000))
    time.sleep(set_up + 3)
    before, start = cpu_seconds(phone.process), time.monotonic()
    time.sleep(WINDOW)
    held = f"{HELD} calls held"
    figures[f"{held}: CPU"] = (cpu_seconds(phone.process) - before) / (time.monotonic() - start) * 100
    figures[f"{held}: memory"], figures[f"{held}: threads"] = memory(phone.process)
    figures[f"{held}: failed"] = failed(lab, calls, HELD)
    phone.quit()
    return figures


UNITS = {"CPU of a call": "ms", "CPU": "%", "memory": "MB"}
TARGETS = {"200 calls held: CPU": 0.25, "200 calls held: memory": 0.1}


def row(key, ours, theirs):
    unit = UNITS.get(key.split(": ")[-1].removeprefix("idle "), "")
    verdict = ""
    if key in TARGETS:
        verdict = f"<= {TARGETS[key]}x: {'yes' if ours <= theirs * TARGETS[key] else 'NO'}"
    elif key.endswith("failed"):
        verdict = f"0: {'yes' if ours == 0 else 'NO'}"
    ratio = f"{ours / theirs:.2f}" if theirs else "-"
    return f"| {key} | {ours:.4g} {unit} | {theirs:.4g} {unit} | {ratio} | {verdict} |"


def middle(runs, key):
    """The median; of failures the worst."""
    return (max if key.endswith("failed") else statistics.median)(run[key] for run in runs)


def main():
    options = bench.options(__doc__)
    options.add_argument("--runs", type=int, default=3)
    options.add_argument("--only", choices=["offhook", "baresip"])
    options.add_argument("--held", type=int, default=200, help="calls held at once")
    options.add_argument("--echo", action="store_true", help="sound both ways in those")
    options.add_argument("--fresh", action="store_true", help="nothing but the held calls, by a phone that has just started")
    options = options.parse_args()
    globals().update(RATES=() if options.fresh else RATES, HELD=options.held, ECHO=options.echo, SET_UP=max(SET_UP, options.held // 20))
    bench.enter()
    Offhook.binary = options.offhook.resolve()
    # Two sockets a call, and for baresip one file.
    resource.setrlimit(resource.RLIMIT_NOFILE, (8192, max(8192, resource.getrlimit(resource.RLIMIT_NOFILE)[1])))
    kinds = [kind for kind in (Offhook, Baresip) if options.only in (None, kind.name)]
    results, loads = {kind.name: [] for kind in kinds}, []
    for n in range(options.runs):
        for kind in kinds if n % 2 == 0 else kinds[::-1]:
            loads.append(bench.wait_for_quiet(options.max_load))
            # A new lab each time: the other phone is still registered in this one.
            with Lab(sound=False) as lab:
                results[kind.name].append(run(lab, kind))
            rounded = {key: round(value, 2) for key, value in results[kind.name][-1].items()}
            print(json.dumps({"run": n + 1, "of": kind.name, "load": round(loads[-1], 2)} | rounded), flush=True)
    print(f"\n{bench.machine()}; {bench.versions()}; load average {min(loads):.1f} to {max(loads):.1f}", end="; ")
    print(f"medians of {options.runs} runs\n")
    if len(kinds) == 2:
        print("| | offhook | baresip | offhook / baresip | target |", "|---|---|---|---|---|", sep="\n")
        for key in results["offhook"][0]:
            print(row(key, middle(results["offhook"], key), middle(results["baresip"], key)))


if __name__ == "__main__":
    main()
