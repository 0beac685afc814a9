#!/usr/bin/python3
"""SIPp calls SIPp through the embedded exchange and through Kamailio in turn: what a call costs the processor.

    benches/exchange.py [--runs N] [--offhook PATH] [--rate N] [--calls N]
"""

import json
import pathlib
import re
import statistics
import time

import lab as bench
from lab import CONFIGS, Lab, Offhook, wait_for

REGISTER = """<?xml version="1.0" encoding="UTF-8" ?>
<!DOCTYPE scenario SYSTEM "sipp.dtd">
<scenario name="registers bob at SIPp's callee">
  <send retrans="500"><![CDATA[
      REGISTER sip:127.0.0.1 SIP/2.0
      Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]
      From: <sip:bob@127.0.0.1>;tag=[pid]r[call_number]
      To: <sip:bob@127.0.0.1>
      Call-ID: [call_id]
      CSeq: 1 REGISTER
      Contact: <sip:bob@127.0.0.1:5991>
      Max-Forwards: 70
      Expires: 3600
      Content-Length: 0

  ]]></send>
  <recv response="401" auth="true"/>
  <send retrans="500"><![CDATA[
      REGISTER sip:127.0.0.1 SIP/2.0
      Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]
      From: <sip:bob@127.0.0.1>;tag=[pid]r[call_number]
      To: <sip:bob@127.0.0.1>
      Call-ID: [call_id]
      CSeq: 2 REGISTER
      Contact: <sip:bob@127.0.0.1:5991>
      [authentication username=bob password=bobpw]
      Max-Forwards: 70
      Expires: 3600
      Content-Length: 0

  ]]></send>
  <recv response="200"/>
</scenario>
"""

USERS = """[exchange]
domain = "127.0.0.1"
digest = ["MD5"]
[[exchange.user]]
name = "sipp"
password = "sipppw"
[[exchange.user]]
name = "bob"
password = "bobpw"
"""


class ExchangeLab(Lab):
    """The same without Kamailio: the exchange is at its address."""

    def _kamailio(self):
        config = self.folder / "exchange.toml"
        config.write_text(USERS)
        config.chmod(0o600)
        self.proxy = self.start("exchange", [Offhook.binary, "--config", config, "--listen", "127.0.0.1:5060", "exchange"])
        wait_for("the exchange", lambda: "Ctrl-C" in self.log("exchange"))


class KamailioLab(Lab):
    """Kamailio as in the peer tests: one worker for UDP, no TCP."""

    def start(self, name, command, **options):
        process = super().start(name, command, **options)
        if name == "kamailio":
            self.proxy = process
        return process


def family(pid):
    """A process and its children's children; they have all been started with it."""
    children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(one for child in children for one in family(int(child)))]


def cpu(lab):
    """Processor seconds of all the proxy's processes and their threads."""
    return sum(time.clock_gettime((~pid << 3) | 2) for pid in family(lab.proxy.pid))


def memory(lab):
    """Proportional resident memory in MB: pages that processes share are counted once."""
    rollups = [pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text() for pid in family(lab.proxy.pid)]
    return sum(int(re.search(r"^Pss:\s+(\d+)", text, re.M)[1]) for text in rollups) / 1024


def sipp(lab, name, *options):
    command = ["sipp", "127.0.0.1:5060", "-i", "127.0.0.1", "-nostdin", "-recv_timeout", 8000, "-timeout", 120]
    (lab.folder / f"{name}.log").unlink(missing_ok=True)
    return lab.start(name, [*command, *options])


def good(lab, name, process):
    process.wait(130)
    found = re.findall(r"Successful call\s*\|[^|]*\|\s*(\d+)", lab.log(name))
    return int(found[-1]) if found else 0


def call(lab, calls, rate):
    """So many calls, one after the other at this rate, held for 100 ms; how many went wrong."""
    # The exchange wants the Request-URI in the credentials, which SIPp doesn't put there by itself.
    options = ["-auth_uri", "bob@127.0.0.1", "-s", "bob", "-au", "sipp", "-ap", "sipppw", "-d", 100, "-p", 5990, "-mp", 30000, "-l", 1000]
    return calls - good(lab, "uac", sipp(lab, "uac", "-sf", CONFIGS / "uac.xml", *options, "-m", calls, "-r", rate))


def run(kind, calls, rate):
    with kind(sound=False) as lab:
        (lab.folder / "register.xml").write_text(REGISTER)
        registering = sipp(lab, "register", "-sf", lab.folder / "register.xml", "-m", 1, "-p", 5992, "-auth_uri", "127.0.0.1")
        if good(lab, "register", registering) != 1:
            raise SystemExit(f"bob can't register\n{lab.log('register')}")
        sipp(lab, "uas", "-sf", CONFIGS / "uas.xml", "-p", 5991, "-mp", 32000)
        time.sleep(0.5)
        # Memory grows to its usual size, caches fill.
        call(lab, min(calls, rate * 2), rate)
        before = cpu(lab)
        failed = call(lab, calls, rate)
        spent = cpu(lab) - before
        return {"CPU of a call, ms": spent / calls * 1e3, "memory, MB": memory(lab), "failed calls": failed}


def main():
    options = bench.options(__doc__)
    options.add_argument("--runs", type=int, default=3)
    options.add_argument("--rate", type=int, default=100, help="calls a second")
    options.add_argument("--calls", type=int, default=1000, help="calls of a run")
    options = options.parse_args()
    bench.enter()
    Offhook.binary = options.offhook.resolve()
    kinds = [("exchange", ExchangeLab), ("Kamailio", KamailioLab)]
    results, loads = {name: [] for name, _ in kinds}, []
    for n in range(options.runs):
        for name, kind in kinds if n % 2 == 0 else kinds[::-1]:
            loads.append(bench.wait_for_quiet(options.max_load))
            results[name].append(run(kind, options.calls, options.rate))
            rounded = {key: round(value, 3) for key, value in results[name][-1].items()}
            print(json.dumps({"run": n + 1, "of": name, "load": round(loads[-1], 2)} | rounded), flush=True)
    print(f"\n{bench.machine()}; load average {min(loads):.1f} to {max(loads):.1f}; {options.rate} calls/s;", end=" ")
    print(f"medians of {options.runs} runs\n\n| | exchange | Kamailio | exchange / Kamailio | target |\n|---|---|---|---|---|")
    for key in results["exchange"][0]:
        middle = max if key == "failed calls" else statistics.median
        ours, theirs = (middle(run[key] for run in results[name]) for name, _ in kinds)
        ratio = f"{ours / theirs:.2f}" if theirs else "-"
        verdicts = {
            "CPU of a call, ms": f"<= 3x: {'yes' if ours <= 3 * theirs else 'NO'}",
            "failed calls": f"0: {'yes' if ours == 0 else 'NO'}",
        }
        print(f"| {key} | {ours:.3g} | {theirs:.3g} | {ratio} | {verdicts.get(key, '')} |")


if __name__ == "__main__":
    main()
