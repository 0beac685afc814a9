//! What the tests stand on: a namespace, two virtual sound cards, Kamailio, and a tap on the wire.
//!
//! The rig starts once; each test takes it for itself with [`take`], gets a new Kamailio, and starts the phones that it
//! needs.

pub mod baresip;
pub mod console;
pub mod events;
pub mod kamailio;
mod namespace;
pub mod phone;
pub mod process;
pub mod relay;
pub mod sipp;
pub mod sound;
pub mod wire;

use std::io::Write;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use kamailio::Role;
use namespace::Namespace;
use process::Process;
use sound::Cards;
use wire::Wire;

/// How long anything may take that should happen at once: far more than it needs, for the machine may be busy.
pub const DEADLINE: Duration = Duration::from_secs(45);

/// An address of the namespace that is not loopback: Twinkle wants one.
pub const ABROAD: &str = "10.77.0.1";

/// Each program that all tests take, and its Debian package.
pub const PROGRAMS: &[(&str, &str)] = &[
    ("ip", "iproute2"),
    ("kamailio", "kamailio"),
    ("baresip", "baresip-core"),
    ("sipp", "sip-tester"),
    ("pulseaudio", "pulseaudio"),
    ("parec", "pulseaudio-utils"),
    ("pactl", "pulseaudio-utils"),
];

/// The started rig.
pub struct Rig {
    // Dropped in this order.
    wire: Wire,
    kamailio: Option<Process>,
    cards: Cards,
    namespace: Namespace,
    folder: PathBuf,
}

impl Rig {
    /// What went over the wire.
    pub fn wire(&self) -> &Wire {
        &self.wire
    }

    /// A new registrar, which has forgotten everything.
    pub fn restart_registrar(&mut self, role: Role) {
        if let Some(kamailio) = self.kamailio.take() {
            kamailio::end(kamailio);
        }
        self.kamailio = Some(kamailio::start(&self.namespace, &self.folder, "127.0.0.1", role));
    }

    /// An outbound proxy at an address of its own.
    pub fn proxy(&self, ip: &str, role: Role) -> Process {
        kamailio::start(&self.namespace, &self.folder, ip, role)
    }

    /// A WAV file with 60 s of a tone.
    pub fn tone_file(&self, frequency: f64) -> PathBuf {
        let path = self.folder.join(format!("tone-{frequency}.wav"));
        let (rate, bits) = (8000, 16);
        let spec = hound::WavSpec {
            channels: 1,
            sample_rate: rate,
            bits_per_sample: bits,
            sample_format: hound::SampleFormat::Int,
        };
        let mut file = hound::WavWriter::create(&path, spec).expect("a file");
        for n in 0..rate * 60 {
            let sample = 8000.0 * (std::f64::consts::TAU * frequency * f64::from(n) / f64::from(rate)).sin();
            file.write_sample(sample as i16).expect("a file");
        }
        file.finalize().expect("a file");
        path
    }

    fn start() -> Result<Rig, String> {
        for (program, package) in PROGRAMS {
            if !found(program) {
                return Err(format!("{program} is not installed (Debian package {package})"));
            }
        }
        let namespace = Namespace::new()
            .map_err(|error| format!("no namespace: {error} (run as root, or under `unshare --map-root-user`)"))?;
        let folder = temporary_folder();
        let wire = Wire::tap(&namespace).map_err(|error| format!("no packet socket: {error}"))?;
        let cards = Cards::start(&namespace, &folder);
        Ok(Rig { wire, kamailio: None, cards, namespace, folder })
    }
}

/// The rig, for this test alone; `None` where it can't run here, which was then said.
pub fn take() -> Option<MutexGuard<'static, Rig>> {
    static RIG: OnceLock<Result<Mutex<Rig>, String>> = OnceLock::new();
    match RIG.get_or_init(|| Rig::start().map(Mutex::new)) {
        // A test that failed has dropped its phones: the rig is as good as before.
        Ok(rig) => {
            let mut rig = rig.lock().unwrap_or_else(PoisonError::into_inner);
            // Bindings and calls of the test before are forgotten.
            rig.restart_registrar(Role::Registrar);
            rig.wire.clear();
            Some(rig)
        }
        Err(reason) => {
            skip(reason);
            None
        }
    }
}

/// The rig for a test in which these phones take part too; `None` where one of them is missing, which was then said.
pub fn take_with(kinds: &[console::Kind]) -> Option<MutexGuard<'static, Rig>> {
    let mut rig = take()?;
    for (program, package) in kinds.iter().map(|kind| kind.program()) {
        if !found(program) {
            skip(&format!("{program} is not installed (Debian package {package})"));
            return None;
        }
    }
    rig.restart_registrar(Role::RegistrarAbroad);
    Some(rig)
}

/// Says that a test can't run here, which is a failure where all must run.
fn skip(reason: &str) {
    let required = std::env::var_os("OFFHOOK_REQUIRE_PEERS").is_some_and(|value| !value.is_empty());
    assert!(!required, "the peer tests can't run here: {reason}");
    // Past the test harness, which shows what a passed test printed to nobody.
    let _ = writeln!(std::io::stderr(), "skipped: {reason}");
}

fn found(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Kamailio lies in /usr/sbin, which a person's PATH may lack.
    std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]).any(|folder| folder.join(program).is_file())
}

/// A folder of this process, gone when it exits. Its path is short: a Unix socket lies in it.
fn temporary_folder() -> PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    extern "C" fn remove() {
        if let Some(folder) = FOLDER.get() {
            let _ = std::fs::remove_dir_all(folder);
        }
    }
    FOLDER
        .get_or_init(|| {
            let folder = tempfile::Builder::new().prefix("offhook-peers-").tempdir().expect("a folder").keep();
            // A static is never dropped, so this is its end.
            unsafe { libc::atexit(remove) };
            folder
        })
        .clone()
}
