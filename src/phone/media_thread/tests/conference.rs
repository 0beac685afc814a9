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

    /// Lets time pass, ends everything, and gives what each place heard.
    fn end(&self) -> Vec<wav::Clip> {
        let_time_pass(self.folder.path(), &self.members[0], 1500);
        for member in &self.members {
            member.finish();
        }
        assert!(self.hub.finish(PATIENCE));
        (0..=self.members.len()).map(|n| wav::load(&self.folder.path().join(format!("{n}.wav"))).unwrap()).collect()
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

/// Each hears all others at the level at which they speak, and himself not at all.
fn everybody_hears_the_others(members: usize) {
    // None is a multiple of another's difference that distortion would make.
    let tones: Vec<u32> = (0..=members as u32).map(|n| 430 + n * 290 + n * n * 7).collect();
    let others: Vec<(u32, Codec)> = tones[1..].iter().map(|&hertz| (hertz, Codec::Pcmu)).collect();
    let heard = Meeting::new(tones[0], &others).end();
    for (place, clip) in heard.iter().enumerate() {
        for (other, &hertz) in tones.iter().enumerate() {
            if other == place {
                let own = softest(&clip.samples, clip.rate, hertz);
                assert!(own < SPOKEN - 25.0, "{place} of {members} hears himself at {own} dBFS");
            } else {
                let level = loudest(&clip.samples, clip.rate, hertz);
                assert!(
                    (level - SPOKEN).abs() < 2.5,
                    "{place} of {members} hears {other} at {level}, not {SPOKEN} dBFS"
                );
            }
        }
    }
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
    let heard = Meeting::new(500, &tones).end();
    let level = |place: usize, hertz| loudest(&heard[place].samples, heard[place].rate, hertz);
    // Opus and the file, of 16 kHz, take some of it.
    assert!((level(3, 6000) - SPOKEN).abs() < 12.0, "{}", level(3, 6000));
    assert!((level(3, 1000) - SPOKEN).abs() < 3.0, "{}", level(3, 1000));
    // Nor does it come down into the telephone's band: 6 kHz would be 2 kHz there.
    assert!((level(2, 700) - SPOKEN).abs() < 3.0);
    let folded = softest(&heard[2].samples, heard[2].rate, 2000);
    assert!(folded < SPOKEN - 25.0, "{folded}");
}

#[test]
fn a_conference_is_recorded_with_all_others_right_and_goes_on_when_one_leaves() {
    let meeting = Meeting::new(500, &[(900, Codec::Pcmu), (1400, Codec::Pcmu)]);
    let path = meeting.folder.path().join("recorded.wav");
    meeting.hub.order(Order::Record { call: CallNo(1), path: path.clone() });
    let_time_pass(meeting.folder.path(), &meeting.members[0], 1200);
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
    let_time_pass(meeting.folder.path(), &meeting.members[0], 600);
    meeting.end();
    let mut reader = hound::WavReader::open(&path).unwrap();
    let rate = reader.spec().sample_rate;
    let samples: Vec<i16> = reader.samples().map(Result::unwrap).collect();
    let side = |which: usize| -> Vec<i16> { samples.iter().copied().skip(which).step_by(2).collect() };
    let (us, them) = (side(0), side(1));
    // The beginning is of both members, the end of the second one alone.
    let last = them.len() - rate as usize / 2..them.len();
    let level = |side: &[i16], hertz| goertzel::level(side, hertz as f32, rate);
    assert!((loudest(&us, rate, 500) - SPOKEN).abs() < 2.5);
    assert!(softest(&us, rate, 900) < SPOKEN - 25.0 && softest(&us, rate, 1400) < SPOKEN - 25.0);
    assert!((loudest(&them, rate, 1400) - SPOKEN).abs() < 2.5);
    assert!((loudest(&them[..them.len() / 2], rate, 900) - SPOKEN).abs() < 2.5);
    assert!(level(&them[last], 900) < SPOKEN - 25.0);
}
