//! Two media threads that talk over loopback.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use super::*;
use crate::media::goertzel;
use crate::media::processing::{Step, Switch};
use crate::sdp::Codec;

mod conference;
mod handshakes;

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const CALL: CallNo = CallNo(1);
/// Far more than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

struct Phone {
    thread: MediaThread,
    reports: Receiver<Report>,
    ports: MediaPorts,
}

impl Phone {
    fn new(input: &str, output: &str) -> Phone {
        Phone::with(input, output, None)
    }

    fn with(input: &str, output: &str, identity: Option<Arc<Identity>>) -> Phone {
        let audio = config::Audio {
            input: input.to_owned(),
            output: output.to_owned(),
            ring: "null".to_owned(),
            ..config::Audio::default()
        };
        let (sender, reports) = channel();
        let thread =
            MediaThread::spawn(&audio, &config::Network::default(), identity, move |report| drop(sender.send(report)))
                .unwrap();
        let ports = thread.open(CALL, LOOPBACK).unwrap();
        thread.order(Order::Prepare);
        Phone { thread, reports, ports }
    }

    fn talk_to(&self, other: &Phone) {
        self.configure(other, 20);
        self.thread.order(Order::OpenMicrophone { call: CALL });
    }

    fn configure(&self, other: &Phone, ptime_ms: u8) {
        let media = Phone::media(other, ptime_ms);
        self.thread.order(Order::Configure { call: CALL, media: Box::new(media) });
    }

    fn media(other: &Phone, ptime_ms: u8) -> Negotiated {
        Negotiated {
            remote_rtp: SocketAddr::new(LOOPBACK, other.ports.rtp),
            remote_rtcp: Some(SocketAddr::new(LOOPBACK, other.ports.rtcp)),
            rtcp_mux: false,
            xr: Default::default(),
            ice: None,
            codec: Codec::Pcmu,
            send_payload_type: 0,
            receive: vec![(0, Codec::Pcmu)],
            send_telephone_event: Some((101, 8000)),
            receive_telephone_events: vec![(101, 8000)],
            comfort_noise: Default::default(),
            opus: crate::sdp::OpusWishes::default(),
            ptime_ms,
            send: true,
            receive_audio: true,
            held_by_peer: false,
            protection: Default::default(),
        }
    }

    /// Waits for a report that `wanted` makes something of.
    fn expect<T>(&self, what: &str, wanted: impl Fn(&Report) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.reports.recv_timeout(left) {
                Ok(report) => {
                    if let Some(found) = wanted(&report) {
                        return found;
                    }
                }
                Err(_) => panic!("no {what}"),
            }
        }
    }

    fn expect_flowing(&self) {
        self.expect("RTP", |report| match report {
            Report::Session { event: session::Event::Flowing { .. }, .. } => Some(()),
            _ => None,
        });
    }

    fn close(&self) -> session::Stats {
        self.thread.order(Order::Close { call: CALL });
        self.expect("closing", |report| match report {
            Report::Closed { stats, .. } => Some(*stats),
            _ => None,
        })
    }

    fn finish(&self) {
        assert!(self.thread.finish(PATIENCE), "the thread ends");
    }
}

/// A sound in pieces of a sixteenth of a second. A machine that stands still for a moment breaks a tone,
/// but not in each of them.
fn pieces(clip: &wav::Clip) -> impl Iterator<Item = &[i16]> {
    clip.samples.chunks_exact(clip.rate as usize / 16)
}

/// The level of 440 Hz in a piece, and of everything.
fn level_of_440(piece: &[i16], rate: u32) -> (f32, f32) {
    (goertzel::level(piece, 440.0, rate), crate::media::levels::rms_dbfs(piece))
}

/// Lets time pass until nobody complains: a sound file can be read while it is written, its header is brought up to date once a
/// second.
fn wait_until_right(folder: &Path, speaker: &Phone, complaint: impl Fn() -> Option<String>) {
    let deadline = Instant::now() + PATIENCE;
    while let Some(complaint) = complaint() {
        assert!(Instant::now() < deadline, "{complaint}");
        let_time_pass(folder, speaker, 500);
    }
}

/// Lets so much time pass as a file of silence takes to be played into a call.
fn let_time_pass(folder: &Path, speaker: &Phone, milliseconds: usize) {
    let path = folder.join("silence.wav");
    let mut writer = wav::Writer::create(path.clone(), 1, 8000);
    writer.write(&vec![0; 8 * milliseconds]);
    writer.wait(Instant::now() + PATIENCE);
    speaker.thread.order(Order::Play { call: CALL, path, how: PlayAs::Mixed });
    speaker.expect("end of the file", |report| matches!(report, Report::PlayEnded { .. }).then_some(()));
}

#[test]
fn a_tone_goes_through_two_threads_into_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let heard = folder.path().join("heard.wav");
    let a = Phone::new("tone:440", "null");
    let b = Phone::new("null", heard.to_str().unwrap());
    a.talk_to(&b);
    b.talk_to(&a);
    a.expect_flowing();
    b.expect_flowing();
    let is_the_tone = |piece: &[i16], rate| {
        let (tone, all) = level_of_440(piece, rate);
        (tone + 15.0).abs() < 1.0 && (all - tone).abs() < 0.5
    };
    wait_until_right(folder.path(), &b, || {
        let clip = wav::load(&heard).ok().filter(|clip| pieces(clip).any(|piece| is_the_tone(piece, clip.rate)));
        clip.is_none().then(|| "the tone is not heard".to_owned())
    });
    assert!(a.thread.levels().input > -16.0);
    b.finish();
    let stats = a.close();
    assert!(stats.sent > 10 && stats.received > 10, "{stats:?}");
    let clip = wav::load(&heard).unwrap();
    assert!(pieces(&clip).any(|piece| is_the_tone(piece, clip.rate)), "it is there when the file is finished");
    a.finish();
}

#[test]
fn before_the_answer_and_while_muted_silence_is_sent() {
    let folder = tempfile::tempdir().unwrap();
    let heard = folder.path().join("heard.wav");
    let a = Phone::new("tone:440", "null");
    let b = Phone::new("null", heard.to_str().unwrap());
    a.configure(&b, 30);
    b.talk_to(&a);
    b.expect_flowing();
    let_time_pass(folder.path(), &b, 300);
    a.thread.order(Order::Mute(true));
    a.thread.order(Order::OpenMicrophone { call: CALL });
    let_time_pass(folder.path(), &b, 300);
    b.finish();
    let clip = wav::load(&heard).unwrap();
    assert!(crate::media::levels::rms_dbfs(&clip.samples) < -60.0);
    a.finish();
}

#[test]
fn a_file_is_played_and_both_sides_are_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let (spoken, recorded) = (folder.path().join("spoken.wav"), folder.path().join("recorded.wav"));
    let mut writer = wav::Writer::create(spoken.clone(), 1, 44_100);
    let tone: Vec<i16> = (0..66_150)
        .map(|n| (8000.0 * (std::f64::consts::TAU * 440.0 * f64::from(n) / 44_100.0).sin()) as i16)
        .collect();
    writer.write(&tone);
    writer.wait(Instant::now() + PATIENCE);
    let a = Phone::new("null", "null");
    let b = Phone::new("null", "null");
    a.thread.order(Order::Record { call: CALL, path: recorded.clone() });
    a.thread.order(Order::Play { call: CALL, path: spoken, how: PlayAs::Instead });
    b.talk_to(&a);
    a.talk_to(&b);
    a.expect("end of the file", |report| matches!(report, Report::PlayEnded { .. }).then_some(()));
    a.close();
    a.finish();
    let clip = wav::load(&recorded).unwrap();
    let tone = pieces(&clip).map(|piece| level_of_440(piece, clip.rate).0).fold(-100.0, f32::max);
    // Half of it, for the other side is silent, and the peak is not full scale.
    assert!((tone + 12.2 + 3.0 + 6.0).abs() < 1.5, "{tone} dBFS");
    b.finish();
}

#[test]
fn a_file_is_sent_as_it_is_unless_processing_is_forced() {
    let folder = tempfile::tempdir().unwrap();
    let hiss = folder.path().join("hiss.wav");
    let mut writer = wav::Writer::create(hiss.clone(), 1, 8000);
    let mut seed = 1u32;
    let mut next = || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 16) as u16 as i16 / 16
    };
    writer.write(&std::iter::repeat_with(&mut next).take(8000).collect::<Vec<i16>>());
    writer.wait(Instant::now() + PATIENCE);
    let level = |switch: Switch| {
        let heard = folder.path().join("heard.wav");
        let a = Phone::new(hiss.to_str().unwrap(), "null");
        let b = Phone::new("null", heard.to_str().unwrap());
        a.thread.order(Order::Processing(Settings::default().with(Step::Noise, switch)));
        a.talk_to(&b);
        b.talk_to(&a);
        b.expect_flowing();
        let_time_pass(folder.path(), &b, 2000);
        a.finish();
        b.finish();
        let clip = wav::load(&heard).unwrap();
        // Of its last part, in which it is recognised, the loudest eighth of a second: a machine that stands still for a
        // moment leaves gaps elsewhere.
        let eighths = clip.samples[clip.samples.len() / 2..].chunks_exact(clip.rate as usize / 8);
        eighths.map(crate::media::levels::rms_dbfs).fold(-100.0, f32::max)
    };
    let [off, on, always] = [Switch::Off, Switch::On, Switch::Always].map(level);
    assert!((off - on).abs() < 0.5, "{off} and {on} dBFS");
    assert!(off - always > 8.0, "{off} and {always} dBFS");
}

#[test]
fn a_file_is_mixed_with_the_microphone_or_heard_alone_until_it_is_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let played = folder.path().join("played.wav");
    let mut writer = wav::Writer::create(played.clone(), 1, 8000);
    let tone = |n: u32| (4000.0 * (std::f64::consts::TAU * 1000.0 * f64::from(n) / 8000.0).sin()) as i16;
    writer.write(&(0..8000 * 30).map(tone).collect::<Vec<i16>>());
    writer.wait(Instant::now() + PATIENCE);
    for (how, is_mixed) in [(PlayAs::Mixed, true), (PlayAs::Instead, false)] {
        let recorded = folder.path().join("recorded.wav");
        let (a, b) = (Phone::new("tone:440", "null"), Phone::new("null", "null"));
        a.thread.order(Order::Play { call: CALL, path: played.clone(), how });
        a.talk_to(&b);
        b.talk_to(&a);
        b.expect_flowing();
        let_time_pass(folder.path(), &b, 300);
        a.thread.order(Order::Record { call: CALL, path: recorded.clone() });
        let_time_pass(folder.path(), &b, 800);
        a.thread.order(Order::StopRecording { call: CALL });
        a.thread.order(Order::StopPlaying { call: CALL });
        a.expect("the end of the recording", |report| match report {
            Report::Recording { path: None, .. } => Some(()),
            _ => None,
        });
        a.expect("the end of what is played", |report| matches!(report, Report::PlayEnded { .. }).then_some(()));
        a.finish();
        b.finish();
        let clip = wav::load(&recorded).unwrap();
        let level = |hertz| goertzel::level(&clip.samples[..clip.samples.len() / 2], hertz, clip.rate);
        assert!(level(1000.0) > -35.0, "{how:?}: the file at {}", level(1000.0));
        assert_eq!(level(440.0) > -35.0, is_mixed, "{how:?}: the microphone at {}", level(440.0));
    }
}

#[test]
fn digits_are_sent_and_told() {
    let a = Phone::new("null", "null");
    let b = Phone::new("null", "null");
    a.talk_to(&b);
    b.talk_to(&a);
    for how in [DigitsBy::Inband, DigitsBy::Auto] {
        a.thread.order(Order::Digits { call: CALL, digits: "1#".into(), how });
        for wanted in ['1', '#'] {
            a.expect("digit sent", |report| match report {
                Report::DigitSent { digit, .. } if *digit == wanted => Some(()),
                _ => None,
            });
        }
    }
    b.expect("digit", |report| match report {
        Report::Session { event: session::Event::Digit { digit: '#', .. }, .. } => Some(()),
        _ => None,
    });
    a.finish();
    b.finish();
}

#[test]
fn what_can_not_be_opened_is_told_and_the_call_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let a = Phone::new(folder.path().join("none.wav").to_str().unwrap(), "tone:440");
    let b = Phone::new("null", "null");
    let lost = || {
        a.expect("loss", |report| match report {
            Report::Device { role, state: DeviceState::Lost, detail: Some(_), .. } => Some(*role),
            _ => None,
        })
    };
    let both = [lost(), lost()];
    assert!(both.contains(&DeviceRole::Input) && both.contains(&DeviceRole::Output), "{both:?}");
    a.thread.order(Order::Play { call: CALL, path: folder.path().join("none.wav"), how: PlayAs::Mixed });
    a.expect("failure", |report| matches!(report, Report::FileFailed { .. }).then_some(()));
    a.talk_to(&b);
    b.talk_to(&a);
    b.expect_flowing();
    a.thread.order(Order::Device { role: DeviceRole::Input, name: "tone:300".into() });
    a.expect("another device", |report| match report {
        Report::Device { role: DeviceRole::Input, name, state: DeviceState::Open, .. } if name == "tone:300" => {
            Some(())
        }
        _ => None,
    });
    a.finish();
    b.finish();
}
