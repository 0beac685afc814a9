//! Conferences of three and of eight over loopback: who hears whom, how loud, and what is recorded of it.

use super::*;

/// The tones are that much softer than a tone device gives, so that nine of them fit beside each other.
const SOFTER_DB: f32 = -20.0;
/// The level of each, in dBFS.
const SPOKEN: f32 = -15.0 + SOFTER_DB;

/// The phone in which the conference is mixed, and its members; number 0 is the phone itself.
struct Meeting {
    hub: MediaThread,
    members: Vec<Phone>,
    folder: tempfile::TempDir,
    reports: Receiver<Report>,
}

impl Meeting {
    /// `tones`: in Hz; the phone's own first, then each member's with its codec.
    fn new(own: u32, tones: &[(u32, Codec)]) -> Meeting {
        let folder = tempfile::tempdir().unwrap();
        let audio = config::Audio {
            input: format!("tone:{own}"),
            output: folder.path().join("0.wav").display().to_string(),
            ring: "null".to_owned(),
            ..config::Audio::default()
        };
        let (sender, reports) = channel();
        let hub =
            MediaThread::spawn(&audio, &config::Network::default(), None, move |report| drop(sender.send(report)))
                .unwrap();
        hub.order(Order::Volume { side: Side::Input, db: SOFTER_DB });
        let mut members = Vec::new();
        for (place, &(hertz, codec)) in (1..).zip(tones) {
            let call = CallNo(place);
            let heard = folder.path().join(format!("{place}.wav"));
            let mouth = if hertz < 4000 { format!("tone:{hertz}") } else { file_of_a_tone(folder.path(), hertz) };
            let member = Phone::new(&mouth, heard.to_str().unwrap());
            member.thread.order(Order::Volume { side: Side::Input, db: SOFTER_DB });
            let ports = hub.open(call, LOOPBACK).unwrap();
            hub.order(Order::Configure { call, media: Box::new(media(member.ports, codec)) });
            hub.order(Order::OpenMicrophone { call });
            member.thread.order(Order::Configure { call: CALL, media: Box::new(media(ports, codec)) });
            member.thread.order(Order::OpenMicrophone { call: CALL });
            members.push(member);
        }
        hub.order(Order::Conference { calls: (1..=tones.len() as u32).map(CallNo).collect() });
        for member in &members {
            member.expect_flowing();
        }
        Meeting { hub, members, folder, reports }
    }

    /// The file into which a place hears.
    fn file(&self, place: usize) -> PathBuf {
        self.folder.path().join(format!("{place}.wav"))
    }

    /// Lets time pass until nobody complains of what he has heard so far. `complaint` is given a place and its sound.
    fn wait_until_right(&self, complaint: impl Fn(usize, &wav::Clip) -> Option<String>) {
        let complaint = |place: usize| match wav::load(&self.file(place)) {
            Ok(clip) if clip.samples.len() > clip.rate as usize / 2 => complaint(place, &clip),
            Ok(_) | Err(_) => Some(format!("{place} hears nothing")),
        };
        wait_until_right(self.folder.path(), &self.members[0], || (0..=self.members.len()).find_map(complaint));
    }

    /// Ends everything; all files are finished then.
    fn end(&self) {
        for member in &self.members {
            member.finish();
        }
        assert!(self.hub.finish(PATIENCE));
        for place in 0..=self.members.len() {
            wav::load(&self.file(place)).unwrap();
        }
    }
}

fn media(ports: MediaPorts, codec: Codec) -> Negotiated {
    let payload_type = if codec == Codec::Pcmu { 0 } else { 100 };
    Negotiated {
        remote_rtp: SocketAddr::new(LOOPBACK, ports.rtp),
        remote_rtcp: Some(SocketAddr::new(LOOPBACK, ports.rtcp)),
        codec,
        send_payload_type: payload_type,
        receive: vec![(payload_type, codec)],
        rtcp_mux: false,
        xr: Default::default(),
        ice: None,
        send_telephone_event: None,
        receive_telephone_events: Vec::new(),
        ptime_ms: 20,
        send: true,
        receive_audio: true,
        held_by_peer: false,
        protection: Default::default(),
        comfort_noise: Default::default(),
        opus: Default::default(),
    }
}

/// A tone that is too high for a tone device, as loud as one, in a file that is looped.
fn file_of_a_tone(folder: &Path, hertz: u32) -> String {
    let path = folder.join("tone.wav");
    let mut writer = wav::Writer::create(path.clone(), 1, 48_000);
    let step = std::f64::consts::TAU * f64::from(hertz) / 48_000.0;
    writer.write(&(0..48_000).map(|n| (8231.0 * (step * f64::from(n)).sin()) as i16).collect::<Vec<i16>>());
    writer.wait(Instant::now() + PATIENCE);
    path.display().to_string()
}

/// The level of a tone in the second half of a sound, where it is loudest in an eighth of a second: a machine that stands
/// still for a moment breaks it elsewhere.
fn loudest(samples: &[i16], rate: u32, hertz: u32) -> f32 {
    let pieces = samples[samples.len() / 2..].chunks_exact(rate as usize / 8);
    pieces.map(|piece| goertzel::level(piece, hertz as f32, rate)).fold(-100.0, f32::max)
}

/// A tone's level where it is heard least: what was broken for a moment sounds at every frequency.
fn softest(samples: &[i16], rate: u32, hertz: u32) -> f32 {
    let pieces = samples[samples.len() / 2..].chunks_exact(rate as usize / 8);
    pieces.map(|piece| goertzel::level(piece, hertz as f32, rate)).fold(0.0, f32::min)
}

/// Whether a tone is heard as loud as it is spoken, give or take so many dB; what to say if not.
fn loud_enough(place: usize, clip: &wav::Clip, hertz: u32, within_db: f32) -> Option<String> {
    let level = loudest(&clip.samples, clip.rate, hertz);
    let is_right = (level - SPOKEN).abs() < within_db;
    (!is_right).then(|| format!("{place} hears {hertz} Hz at {level}, not {SPOKEN} dBFS"))
}

/// Whether a tone is not heard; what to say if it is.
fn silent(place: usize, clip: &wav::Clip, hertz: u32) -> Option<String> {
    let level = softest(&clip.samples, clip.rate, hertz);
    (level >= SPOKEN - 25.0).then(|| format!("{place} hears {hertz} Hz at {level} dBFS"))
}

/// Each hears all others at the level at which they speak, and himself not at all.
fn everybody_hears_the_others(members: usize) {
    // None is a multiple of another's difference that distortion would make.
    let tones: Vec<u32> = (0..=members as u32).map(|n| 430 + n * 290 + n * n * 7).collect();
    let others: Vec<(u32, Codec)> = tones[1..].iter().map(|&hertz| (hertz, Codec::Pcmu)).collect();
    let meeting = Meeting::new(tones[0], &others);
    meeting.wait_until_right(|place, clip| {
        tones.iter().enumerate().find_map(|(other, &hertz)| match other == place {
            true => silent(place, clip, hertz),
            false => loud_enough(place, clip, hertz, 2.5),
        })
    });
    meeting.end();
}

#[test]
fn of_three() {
    everybody_hears_the_others(2);
}

#[test]
fn of_eight() {
    everybody_hears_the_others(7);
}

#[test]
fn members_at_48_khz_hear_of_each_other_what_the_telephone_can_not_carry() {
    let tones = [(6000, Codec::Opus), (1000, Codec::Pcmu), (700, Codec::Opus)];
    let meeting = Meeting::new(500, &tones);
    meeting.wait_until_right(|place, clip| match place {
        // Opus and the file, of 16 kHz, take some of it.
        3 => loud_enough(3, clip, 6000, 12.0).or_else(|| loud_enough(3, clip, 1000, 3.0)),
        // Nor does it come down into the telephone's band: 6 kHz would be 2 kHz there.
        2 => loud_enough(2, clip, 700, 3.0).or_else(|| silent(2, clip, 2000)),
        _ => None,
    });
    meeting.end();
}

#[test]
fn a_conference_is_recorded_with_all_others_right_and_goes_on_when_one_leaves() {
    let meeting = Meeting::new(500, &[(900, Codec::Pcmu), (1400, Codec::Pcmu)]);
    let path = meeting.folder.path().join("recorded.wav");
    meeting.hub.order(Order::Record { call: CallNo(1), path: path.clone() });
    let wait_until_right = |complaint: &dyn Fn(&[wav::Clip; 2]) -> Option<String>| {
        wait_until_right(meeting.folder.path(), &meeting.members[0], || match sides(&path) {
            Some(sides) => complaint(&sides),
            None => Some("nothing is recorded".to_owned()),
        });
    };
    // 0 is our side in what is said of it, 1 the others'.
    wait_until_right(&|[us, them]| {
        let ours = || silent(0, us, 900).or_else(|| silent(0, us, 1400));
        let theirs = || loud_enough(1, them, 900, 2.5).or_else(|| loud_enough(1, them, 1400, 2.5));
        loud_enough(0, us, 500, 2.5).or_else(ours).or_else(theirs)
    });
    meeting.hub.order(Order::Close { call: CallNo(1) });
    let deadline = Instant::now() + PATIENCE;
    let mut told = Vec::new();
    while told.len() < 2 {
        let report =
            meeting.reports.recv_timeout(deadline.saturating_duration_since(Instant::now())).expect("a report");
        if let Report::Recording { call, path } = report {
            told.push((call, path));
        }
    }
    assert_eq!(told, [(CallNo(1), Some(path.clone())), (CallNo(2), Some(path.clone()))]);
    // From then on it is of the second one alone.
    let last = |clip: &wav::Clip| {
        let half = clip.samples.len().min(clip.rate as usize / 2);
        wav::Clip { rate: clip.rate, samples: clip.samples[clip.samples.len() - half..].into() }
    };
    wait_until_right(&|[_, them]| silent(1, &last(them), 900).or_else(|| loud_enough(1, &last(them), 1400, 2.5)));
    meeting.end();
    assert!(sides(&path).is_some());
}

/// Both sides of a recording, as far as it goes.
fn sides(path: &Path) -> Option<[wav::Clip; 2]> {
    let mut reader = hound::WavReader::open(path).ok()?;
    let rate = reader.spec().sample_rate;
    let samples: Vec<i16> = reader.samples().map_while(Result::ok).collect();
    let side = |which: usize| wav::Clip { rate, samples: samples.iter().copied().skip(which).step_by(2).collect() };
    (samples.len() > rate as usize).then(|| [side(0), side(1)])
}
