#!/usr/bin/python3
"""Attended transfer between three phones: how long it takes beyond the time that the two others need for their part.

    benches/transfer.py [--transfers N] [--offhook PATH]
"""

import math
import statistics
import time

import lab as bench
from lab import Capture, Offhook
from phones import Bare, Phone, head

ALICE, BOB, CAROL = 5110, 5120, 5130
LIMIT = 100  # ms beyond the peers' own time


def peers_part(packets, since, until):
    """(the last message that ends a call of alice's, what bob and carol took for their part) of one transfer."""
    refer = invite = answer = None
    peers, last = 0.0, None
    for at, source, target, payload in packets:
        if not since <= at < until:
            continue
        line, fields = head(payload)
        if source == ALICE and line.startswith(b"REFER ") and refer is None:
            refer = at
        elif source == BOB and line.startswith(b"INVITE ") and b"replaces" in fields and refer and invite is None:
            # Bob reads the REFER, opens his sound and calls.
            invite, peers = at, peers + at - refer
        elif source == CAROL and line.startswith(b"SIP/2.0 200 ") and b"INVITE" in fields.get(b"cseq", b"") and invite and answer is None:
            answer, peers = at, peers + at - invite
        elif source == BOB and line.startswith(b"NOTIFY ") and b"SIP/2.0 200" in payload and answer:
            peers, answer = peers + at - answer, math.inf
        elif ALICE in (source, target) and line.startswith(b"SIP/2.0 200 ") and b"BYE" in fields.get(b"cseq", b""):
            last = at
    return last, peers


def measure(transfers):
    with Bare(sound=False) as lab:
        calls = 'auto_answer = true\ntransfers = "follow"'
        bob, _ = (
            Phone(lab, name, port, f'input = "tone:{hz}"\noutput = "null"', calls)
            for name, port, hz in (("bob", BOB, 200), ("carol", CAROL, 300))
        )
        alice = Phone(lab, "alice", ALICE, 'input = "null"\noutput = "null"')
        time.sleep(1)
        capture = Capture(lab)
        told = []
        for n in range(transfers):
            for m, (name, port) in enumerate((("bob", BOB), ("carol", CAROL)), 1):
                alice.tell(f"call sip:{name}@127.0.0.1:{port}")
                alice.wait("established", 2 * n + m)
            time.sleep(0.3)
            told.append(time.time())
            alice.tell(f"transfer #{2 * n + 1} #{2 * n + 2}")
            alice.wait("ended", 2 * n + 2)
            # The two talk on.
            bob.tell("hangup all")
            bob.wait("ended", 2 * n + 2)
        packets = capture.packets()
        alice.tell("quit")
        alice.process.wait(5)
        results = []
        for since, until in zip(told, [*told[1:], math.inf]):
            last, peers = peers_part(packets, since, until)
            if last is None or peers == 0:
                raise SystemExit("a transfer was not seen on the wire")
            results.append((last - since, peers))
        return results


def main():
    options = bench.options(__doc__)
    options.add_argument("--transfers", type=int, default=20)
    options = options.parse_args()
    bench.enter()
    Offhook.binary = options.offhook.resolve()
    load = bench.wait_for_quiet(options.max_load)
    results = measure(options.transfers)
    whole = [whole * 1e3 for whole, _ in results]
    peers = [peers * 1e3 for _, peers in results]
    beyond = [(whole - peers) * 1e3 for whole, peers in results]
    print(f"{bench.machine()}; {options.transfers} transfers; load average {load:.1f}\n")
    print("| | median | worst | target |\n|---|---|---|---|")
    print(f"| command to both calls' end | {statistics.median(whole):.2f} ms | {max(whole):.2f} ms | |")
    print(f"| of it the two others' part | {statistics.median(peers):.2f} ms | {max(peers):.2f} ms | |")
    met = "yes" if max(beyond) <= LIMIT else "NO"
    print(f"| beyond it | {statistics.median(beyond):.2f} ms | {max(beyond):.2f} ms | <= {LIMIT} ms: {met} |")


if __name__ == "__main__":
    main()
