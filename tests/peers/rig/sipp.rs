//! SIPp as a caller or callee of many calls.

use std::fs;
use std::process::Command;
use std::time::Duration;

use super::Rig;
use super::process::Process;

/// A running scenario.
pub struct Sipp {
    process: Process,
    name: &'static str,
}

impl Rig {
    /// Calls `callee` through Kamailio as `sipp`: `calls` calls, `rate` a second, each held for 300 ms.
    pub fn sipp_calls(&self, callee: &str, calls: u32, rate: u32) -> Sipp {
        let more = ["-s", callee, "-au", "sipp", "-ap", "sipppw", "-d", "300", "-p", "5990", "-mp", "30000"];
        self.sipp("uac", include_str!("../configs/uac.xml"), calls, &more, &["-r", &rate.to_string()])
    }

    /// Answers `calls` calls at `sip:uas@127.0.0.1:5991`.
    pub fn sipp_answers(&self, calls: u32) -> Sipp {
        self.sipp("uas", include_str!("../configs/uas.xml"), calls, &["-p", "5991", "-mp", "32000"], &[])
    }

    /// Says a scenario of nonsense to `port`, `times` times.
    pub fn sipp_says(&self, name: &'static str, scenario: &str, port: u16, times: u32) -> Sipp {
        let to = format!("127.0.0.1:{port}");
        self.sipp_to(&to, name, scenario, times, &["-p", "5992", "-mp", "34000", "-r", "50"], &[])
    }

    fn sipp(&self, name: &'static str, scenario: &str, calls: u32, options: &[&str], more: &[&str]) -> Sipp {
        self.sipp_to("127.0.0.1:5060", name, scenario, calls, options, more)
    }

    fn sipp_to(
        &self,
        to: &str,
        name: &'static str,
        scenario: &str,
        calls: u32,
        options: &[&str],
        more: &[&str],
    ) -> Sipp {
        let file = self.folder.join(format!("{name}.xml"));
        fs::write(&file, scenario).expect("a file");
        let mut command = Command::new("sipp");
        command.arg("-sf").arg(&file).arg(to).args(["-i", "127.0.0.1", "-m", &calls.to_string()]);
        command.args(options).args(more);
        // Without a terminal; each wait has an end.
        command.args(["-nostdin", "-recv_timeout", "20000", "-timeout", "240", "-timeout_error"]);
        command.current_dir(&self.folder).env("TERM", "dumb");
        Sipp { process: Process::start(&self.namespace, command, &self.folder.join(format!("{name}.log"))), name }
    }
}

impl Sipp {
    /// Waits for its end; panics unless each call went well.
    pub fn assert_all_went_well(mut self) {
        let status = self.process.wait(Duration::from_secs(250));
        let log = self.process.log();
        // It draws its screens one after the other: the last holds the sums.
        let last = log.rfind("Scenario Screen").and_then(|at| log.get(at..)).unwrap_or(&log);
        assert!(status.is_some_and(|status| status.success()), "SIPp ({}) ended with {status:?}\n{last}", self.name);
    }
}
