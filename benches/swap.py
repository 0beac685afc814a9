#!/usr/bin/python3
"""Swapping between two calls: how long it takes beyond the two round trips that it needs, and whether it is heard to click.

    benches/swap.py [--swaps N] [--offhook PATH]
"""

import array
import math
import statistics
import time
import wave

import lab as bench
from lab import Capture, Offhook
from phones import Bare, Phone, head

ALICE = 5110
BOB, CAROL = ("bob", 5120, 200), ("carol", 5130, 300)  # their tones in Hz: low ones have small steps
LIMIT = 10  # ms beyond the round trips


def loudest_step(samples):
    return max((abs(b - a) for a, b in zip(samples, samples[1:])), default=0)


def heard(path):
    """The loudest sample, the largest step from one to the next, and what a tone of that loudness has at most."""
    with wave.open(str(path)) as file:
        channels, rate = file.getnchannels(), file.getframerate()
        samples = array.array("h", file.readframes(file.getnframes()))[::channels]
    peak = max(map(abs, samples), default=0)
    return peak, loudest_step(samples), peak * 2 * math.sin(math.pi * max(BOB[2], CAROL[2]) / rate)


def round_trips(packets, since, until):
    """(first request, last answer, sum of the times from request to 200) of alice's re-INVITEs."""
    open_, times, last = {}, [], None
    for at, source, target, payload in packets:
        if not since <= at < until:
            continue
        line, fields = head(payload)
        key = (fields.get(b"call-id"), fields.get(b"cseq"))
        if source == ALICE and line.startswith(b"INVITE "):
            open_.setdefault(key, at)
        elif target == ALICE and line.startswith(b"SIP/2.0 200 ") and key in open_:
            times.append(at - open_.pop(key))
            last = at
    return last, times


def measure(swaps):
    with Bare(sound=False) as lab:
        output = lab.folder / "heard.wav"
        for name, port, hz in (BOB, CAROL):
            Phone(lab, name, port, f'input = "tone:{hz}"\noutput = "null"', "auto_answer = true")
        alice = Phone(lab, "alice", ALICE, f'input = "null"\noutput = "{output}"')
        time.sleep(1)
        for n, (name, port, _) in enumerate((BOB, CAROL), 1):
            alice.tell(f"call sip:{name}@127.0.0.1:{port}")
            alice.wait("established", n)
        time.sleep(1)
        capture = Capture(lab)
        told = []
        for n in range(1, swaps + 1):
            told.append(time.time())
            alice.tell("swap")
            alice.wait("resumed", n)
            # A prime number of milliseconds: the tones are cut anywhere.
            time.sleep(0.307)
        packets = capture.packets()
        alice.tell("quit")
        alice.process.wait(5)
        results = []
        for since, until in zip(told, [*told[1:], math.inf]):
            last, times = round_trips(packets, since, until)
            if last is None or len(times) != 2:
                raise SystemExit(f"a swap had {len(times)} re-INVITEs")
            results.append((last - since, sum(times)))
        return results, heard(output)


def main():
    options = bench.options(__doc__)
    options.add_argument("--swaps", type=int, default=40)
    options = options.parse_args()
    bench.enter()
    Offhook.binary = options.offhook.resolve()
    load = bench.wait_for_quiet(options.max_load)
    results, (peak, step, tone) = measure(options.swaps)
    beyond = sorted((whole - trips) * 1e3 for whole, trips in results)
    whole = [whole * 1e3 for whole, _ in results]
    trips = [trips * 1e3 for _, trips in results]
    print(f"{bench.machine()}; {options.swaps} swaps; load average {load:.1f}\n")
    print("| | median | worst | target |\n|---|---|---|---|")
    print(f"| command to the second 200 | {statistics.median(whole):.2f} ms | {max(whole):.2f} ms | |")
    print(f"| of it the two round trips | {statistics.median(trips):.2f} ms | {max(trips):.2f} ms | |")
    met = "yes" if statistics.median(beyond) <= LIMIT else "NO"
    print(f"| beyond them | {statistics.median(beyond):.2f} ms | {beyond[-1]:.2f} ms | <= {LIMIT} ms: {met} |")
    verdict = "yes" if step <= tone * 1.5 else "NO"
    print(f"| largest step between samples (loudest {peak}) | | {step} | <= 1.5x a tone's {tone:.0f}: {verdict} |")


if __name__ == "__main__":
    main()
