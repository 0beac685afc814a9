//! The services as the phone holds them: what is switched on, what is remembered of the calls that are up, what is due.
//! Files are read here, small and seldom; they are written by [`super::keeping`]'s thread.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use crate::config::Config;
use crate::services::contacts::Contacts;
use crate::services::dialplan::DialPlan;
use crate::services::forwarding::{Decision, Switches, When};
use crate::services::history::{Direction, Entry, History, Outcome, Record};
use crate::services::screening::{Action, Calls, Screening};
use crate::ua::CallNo;
use crate::ua::event::EndedBy;

use super::command::People;
use super::event::{CallRef, Kind};
use super::keeping::{Keep, Keeper, files, journal::Journal};

/// Callers at a time who hear it ring and whom nobody hears; one more is refused (480).
const SILENT_CALLS: usize = 2;
/// Calls that lists of people show.
const PEOPLE_CALLS: usize = 300;
/// How often the switches' file is looked at: another program may have changed it.
const LOOK: Duration = Duration::from_secs(2);
/// The reason that the history gives for a call that do not disturb refused.
pub(super) const DND: &str = "do not disturb";

/// What becomes of a call that comes in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It rings; when nobody answers for so long it goes to the URI.
    Ring { no_answer: Option<(Duration, String)> },
    /// It is refused by a rule, or by do not disturb.
    Refuse { code: u16, rule: String },
    /// The caller hears it ring, nobody else does.
    Silence { rule: String },
    /// It is sent elsewhere.
    Forward { to: String, when: When },
    /// More calls are up than may be.
    Full,
}

/// A call that comes in, as far as services look at it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Caller<'a> {
    pub(super) account: Option<&'a str>,
    pub(super) from: &'a str,
    /// Another call is up or rings here.
    pub(super) busy: bool,
    /// As many as may be.
    pub(super) full: bool,
}

/// A busy number that is called again and again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Redial {
    pub(super) account: Option<String>,
    pub(super) target: String,
    /// Calls that are left.
    pub(super) left: u32,
    /// When the next one is due; `None`: it is up.
    pub(super) due: Option<Instant>,
    /// The one that is up.
    pub(super) call: Option<CallNo>,
}

/// What is remembered of a call that is up.
#[derive(Debug, Clone)]
struct Memo {
    entry: Entry,
    answered: bool,
}

/// By what a file's change is noticed: when it was written, its length, and which file it is.
type Stamp = (SystemTime, u64, u64);

fn stamp(path: &Path) -> Option<Stamp> {
    let data = std::fs::metadata(path).ok()?;
    Some((data.modified().ok()?, data.len(), data.ino()))
}

/// See the module's page.
pub(super) struct Services {
    pub(super) screening: Arc<Screening>,
    pub(super) plan: DialPlan,
    pub(super) switches: Switches,
    pub(super) history: History,
    pub(super) redial: Option<Redial>,
    /// Whom we called last, and by which account.
    dialled: Option<(Option<String>, String)>,
    pub(super) dnd_code: u16,
    contacts: Contacts,
    contacts_path: Option<PathBuf>,
    contacts_stamp: Option<Stamp>,
    switches_path: Option<PathBuf>,
    switches_stamp: Option<Stamp>,
    /// When the file is looked at next.
    look_at: Option<Instant>,
    keeper: Keeper,
    memos: BTreeMap<CallNo, Memo>,
    silent: BTreeSet<CallNo>,
    no_answer: BTreeMap<CallNo, (Instant, String)>,
}

impl Services {
    pub(super) fn new(config: &Config, now: SystemTime) -> Services {
        let paths = &config.files;
        let opened = paths.history.as_ref().map(|path| Journal::open(path, &rfc3339(now)));
        let (journal, history) = match opened {
            Some(Ok((journal, history))) => (Some(journal), history),
            Some(Err(error)) => {
                tracing::warn!(%error, "the history can't be opened: calls are not remembered");
                (None, History::default())
            }
            None => (None, History::default()),
        };
        let switches = paths.switches.as_deref().map(files::switches_or_none).unwrap_or_default();
        let mut services = Services {
            screening: Arc::new(Screening { rules: config.screening.clone(), emergency: config.emergency() }),
            plan: config.dial_plan(),
            switches,
            history,
            redial: None,
            dialled: None,
            dnd_code: config.calls.dnd,
            contacts: Contacts::default(),
            contacts_path: paths.contacts.clone(),
            contacts_stamp: None,
            switches_path: paths.switches.clone(),
            switches_stamp: paths.switches.as_deref().and_then(stamp),
            look_at: paths.switches.is_some().then(|| Instant::now() + LOOK),
            keeper: Keeper::new(journal, paths.switches.clone()),
            memos: BTreeMap::new(),
            silent: BTreeSet::new(),
            no_answer: BTreeMap::new(),
        };
        services.refresh_contacts();
        services
    }

    /// What becomes of a call that comes in.
    pub(super) fn judge(&self, caller: Caller<'_>) -> Verdict {
        let Caller { account, from, busy, full } = caller;
        let ring = |no_answer| if full { Verdict::Full } else { Verdict::Ring { no_answer } };
        if self.screening.emergency.is(from) {
            return ring(None);
        }
        if let Some(rule) = self.screening.check(Calls::Incoming, account, from) {
            let rule_name = rule.name.clone();
            return match rule.action {
                Action::Refuse(code) => Verdict::Refuse { code, rule: rule_name },
                Action::Silence if self.silent.len() < SILENT_CALLS => Verdict::Silence { rule: rule_name },
                Action::Silence => Verdict::Refuse { code: 480, rule: rule_name },
                Action::Allow => ring(None),
            };
        }
        match self.switches.decide(account, busy) {
            Decision::Forward { to, when } => Verdict::Forward { to, when },
            Decision::Refuse => Verdict::Refuse { code: self.dnd_code, rule: DND.into() },
            Decision::Ring { no_answer } => {
                ring(no_answer.map(|(seconds, to)| (Duration::from_secs(seconds.into()), to)))
            }
        }
    }

    /// A call rings in silence.
    pub(super) fn silence(&mut self, call: CallNo) {
        self.silent.insert(call);
    }

    /// A call is to be forwarded unless it is answered in time.
    pub(super) fn forward_later(&mut self, now: Instant, call: CallNo, after: Duration, to: String) {
        self.no_answer.insert(call, (now + after, to));
    }

    /// The core knows a call no more.
    pub(super) fn forget(&mut self, call: CallNo) {
        self.silent.remove(&call);
        self.no_answer.remove(&call);
    }

    /// When something is due.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let redial = self.redial.as_ref().and_then(|redial| redial.due);
        self.no_answer.values().map(|(due, _)| *due).chain(redial).chain(self.look_at).min()
    }

    /// The next call that nobody has answered for so long.
    pub(super) fn pop_unanswered(&mut self, now: Instant) -> Option<(CallNo, String)> {
        let call = self.no_answer.iter().find(|(_, (due, _))| *due <= now).map(|(call, _)| *call)?;
        self.no_answer.remove(&call).map(|(_, to)| (call, to))
    }

    // What is remembered

    /// Remembers the switches.
    pub(super) fn keep_switches(&mut self) {
        match serde_json::to_string(&self.switches) {
            Ok(text) => self.keeper.keep(Keep::Switches(text)),
            Err(error) => tracing::warn!(%error, "the switches can't be kept"),
        }
    }

    /// Waits until everything is remembered, but no longer than until then.
    pub(super) fn finish(&mut self, until: Instant) {
        self.keeper.finish(until);
    }

    /// Reads the switches again if another program has changed their file; what they were before, if they are others now.
    pub(super) fn refresh_switches(&mut self, now: Instant) -> Option<Switches> {
        let path = self.switches_path.as_deref()?;
        self.look_at = Some(now + LOOK);
        // What we have written ourselves is read once more, and is the same.
        let seen = stamp(path);
        if seen == self.switches_stamp || self.keeper.is_writing() {
            return None;
        }
        self.switches_stamp = seen;
        match files::switches(path) {
            Ok(read) => (read != self.switches).then(|| std::mem::replace(&mut self.switches, read)),
            Err(error) => {
                tracing::warn!(error, "the switches stay as they are");
                None
            }
        }
    }

    /// Whether the switches' file is to be looked at.
    pub(super) fn is_look_due(&self, now: Instant) -> bool {
        self.look_at.is_some_and(|at| at <= now)
    }

    /// The person has seen what was missed.
    pub(super) fn saw(&mut self, now: SystemTime) {
        if self.history.missed() > 0 {
            self.record(Record::Seen(rfc3339(now)));
        }
    }

    fn record(&mut self, record: Record) {
        self.history.take(record.clone());
        self.keeper.keep(Keep::Record(record));
    }

    /// A call that never was the person's: screened, sent elsewhere at once, or one too many.
    pub(super) fn record_unseen(&mut self, now: SystemTime, call: &CallRef, name: Option<String>, end: Unseen) {
        let (result, code, reason, to) = match end {
            Unseen::Screened { code, rule } => (Outcome::Screened, code, rule, None),
            Unseen::Diverted { to, when } => {
                (Outcome::Diverted, Some(302), format!("forwarded {}", when.word()), Some(to))
            }
            Unseen::Full => (Outcome::Missed, Some(486), "too many calls were up".to_owned(), None),
        };
        let mut entry = entry(now, Direction::In, call, name);
        (entry.result, entry.code, entry.reason, entry.to) = (result, code, reason, to);
        self.record(Record::Call(entry));
    }

    /// A call that rang here is sent elsewhere: so its end is told.
    pub(super) fn note_diverted(&mut self, call: CallNo, to: &str) {
        if let Some(memo) = self.memos.get_mut(&call) {
            memo.entry.to = Some(to.to_owned());
        }
    }

    /// Takes what is told to the person. True: one more call was missed.
    pub(super) fn note(&mut self, now: SystemTime, kind: &Kind) -> bool {
        match kind {
            Kind::Incoming { call, name, .. } => {
                let entry = entry(now, Direction::In, call, name.clone());
                self.memos.insert(call.call, Memo { entry, answered: false });
            }
            Kind::Calling { call } => {
                let name = self.name_of(&call.peer);
                self.dialled = Some((call.account.clone(), call.peer.clone()));
                let entry = entry(now, Direction::Out, call, name);
                self.memos.insert(call.call, Memo { entry, answered: false });
            }
            Kind::Established { call, .. } => {
                if let Some(memo) = self.memos.get_mut(&call.call) {
                    memo.answered = true;
                }
            }
            Kind::Stats { call, stats, .. } => {
                if let (Some(memo), Some(mos)) = (self.memos.get_mut(&call.call), stats.mos) {
                    memo.entry.mos = Some((f64::from(mos) * 100.0).round() / 100.0);
                }
            }
            Kind::Ended { call, by, code, reason, duration_s, .. } => {
                let Some(Memo { mut entry, answered }) = self.memos.remove(&call.call) else { return false };
                let answered = answered || *duration_s > 0.0;
                entry.result = outcome(&entry, answered, *by, *code, reason);
                (entry.code, entry.duration_s) = (*code, *duration_s);
                entry.reason.clone_from(reason);
                let missed = entry.result == Outcome::Missed;
                self.record(Record::Call(entry));
                return missed;
            }
            _ => {}
        }
        false
    }

    /// Whom we called last.
    pub(super) fn last_dialled(&self) -> Option<(Option<String>, String)> {
        let remembered = || self.history.last_dialled().map(|entry| (entry.account.clone(), entry.peer.clone()));
        self.dialled.clone().or_else(remembered)
    }

    // People

    /// Reads the contacts if their file has changed.
    fn refresh_contacts(&mut self) {
        let Some(path) = &self.contacts_path else { return };
        let seen = stamp(path);
        if seen == self.contacts_stamp {
            return;
        }
        self.contacts_stamp = seen;
        match files::contacts(path) {
            Ok(contacts) => self.contacts = contacts,
            Err(error) => tracing::warn!(error, "the contacts can't be read"),
        }
    }

    /// The name of who has an address.
    pub(super) fn name_of(&mut self, address: &str) -> Option<String> {
        self.refresh_contacts();
        self.contacts.who_has(address).map(|contact| contact.name.clone())
    }

    /// Who is known, and the last calls.
    pub(super) fn people(&mut self) -> People {
        self.refresh_contacts();
        People { contacts: self.contacts.list.clone(), calls: self.history.last(PEOPLE_CALLS).cloned().collect() }
    }

    /// What a target that a person wrote becomes: a contact's address, then whatever speed dial and dial plan make of it.
    pub(super) fn dialled(&mut self, account: Option<&str>, text: &str) -> String {
        self.refresh_contacts();
        let text = text.trim();
        let by_name = match self.screening.emergency.is(text) {
            true => None,
            false => self.contacts.find(text).and_then(|contact| contact.addresses.first().cloned()),
        };
        self.plan.apply(account, by_name.as_deref().unwrap_or(text)).target
    }
}

/// How a call ended that never was the person's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unseen {
    Screened { code: Option<u16>, rule: String },
    Diverted { to: String, when: When },
    Full,
}

fn entry(now: SystemTime, direction: Direction, call: &CallRef, name: Option<String>) -> Entry {
    Entry {
        time: rfc3339(now),
        direction,
        account: call.account.clone(),
        peer: call.peer.clone(),
        name,
        result: Outcome::Failed,
        code: None,
        reason: String::new(),
        duration_s: 0.0,
        mos: None,
        to: None,
    }
}

fn outcome(entry: &Entry, answered: bool, by: EndedBy, code: Option<u16>, reason: &str) -> Outcome {
    match (entry.direction, by) {
        _ if answered => Outcome::Answered,
        (Direction::Out, EndedBy::Local) if matches!(code, None | Some(487)) => Outcome::Cancelled,
        (Direction::Out, _) => Outcome::Failed,
        (Direction::In, _) if entry.to.is_some() => Outcome::Diverted,
        (Direction::In, EndedBy::Local) => Outcome::Refused,
        // RFC 3326 section 3.1: another of the person's phones took it.
        (Direction::In, EndedBy::Remote) if reason.contains("elsewhere") => Outcome::Elsewhere,
        (Direction::In, EndedBy::Remote | EndedBy::Timeout | EndedBy::Transport) => Outcome::Missed,
    }
}

/// A time as the history has it.
pub(super) fn rfc3339(time: SystemTime) -> String {
    humantime::format_rfc3339_millis(time).to_string()
}
