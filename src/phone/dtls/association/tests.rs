//! Both sides in memory, without loss: no time passes. With loss: `worker`.

use proptest::prelude::*;

use super::*;

fn pair(now: Instant, client: &Identity, server: &Identity) -> [Association; 2] {
    let one = |own, role, other: &Identity| Association::new(now, own, role, &[other.fingerprint()]).unwrap();
    [one(client, Role::Client, server), one(server, Role::Server, client)]
}

/// Carries datagrams until none is left; gives what came of it.
fn exchange(sides: &mut [Association; 2]) -> [Option<Result<Srtp, Failure>>; 2] {
    let mut outcomes = [None, None];
    loop {
        let mut quiet = true;
        for from in [0, 1] {
            while let Some(bytes) = sides[from].poll_transmit() {
                assert!(bytes.len() <= MTU, "{} bytes", bytes.len());
                assert!(crate::media::dtls::is_dtls(&bytes));
                sides[1 - from].handle(&bytes);
                quiet = false;
            }
            outcomes[from] = sides[from].poll_outcome().or(outcomes[from].take());
        }
        if quiet {
            return outcomes;
        }
    }
}

#[test]
fn both_sides_come_to_the_same_keys() {
    let (client, server) = (Identity::new().unwrap(), Identity::new().unwrap());
    assert_ne!(client.fingerprint(), server.fingerprint());
    let mut sides = pair(Instant::now(), &client, &server);
    let [Some(Ok(clients)), Some(Ok(servers))] = exchange(&mut sides) else { panic!("no keys") };
    assert_eq!((clients.send, clients.receive), (servers.receive, servers.send));
    assert_ne!(clients.send, clients.receive);
    assert_eq!(clients.suite(), Suite::AeadAes256Gcm, "the strongest that both have");
    assert!(sides.iter().all(|side| side.poll_timeout(Instant::now()).is_none()));
}

#[test]
fn another_certificate_than_the_one_named_is_refused_and_the_peer_told() {
    let (client, server, stranger) = (Identity::new().unwrap(), Identity::new().unwrap(), Identity::new().unwrap());
    let now = Instant::now();
    for wrong in [Role::Client, Role::Server] {
        // The side named `wrong` expects somebody else.
        let expected = |role, right: &Identity| match role == wrong {
            true => stranger.fingerprint(),
            false => right.fingerprint(),
        };
        let clients = Association::new(now, &client, Role::Client, &[expected(Role::Client, &server)]).unwrap();
        let servers = Association::new(now, &server, Role::Server, &[expected(Role::Server, &client)]).unwrap();
        let [clients, servers] = exchange(&mut [clients, servers]);
        let (refuses, refused) = match wrong {
            Role::Client => (clients, servers),
            Role::Server => (servers, clients),
        };
        assert_eq!(refuses, Some(Err(Failure::Fingerprint)));
        let Some(Err(Failure::Protocol(words))) = refused else { panic!("{refused:?}") };
        assert!(words.contains("bad certificate"), "{words}");
    }
}

#[test]
fn one_of_several_fingerprints_and_longer_hashes_do() {
    let (client, server, other) = (Identity::new().unwrap(), Identity::new().unwrap(), Identity::new().unwrap());
    let now = Instant::now();
    let several = [other.fingerprint(), server.fingerprint()];
    let clients = Association::new(now, &client, Role::Client, &several).unwrap();
    let certificate = client.context.certificate().unwrap();
    let longer = Fingerprint::new(Hash::Sha512, &certificate.digest(MessageDigest::sha512()).unwrap()).unwrap();
    let servers = Association::new(now, &server, Role::Server, &[longer]).unwrap();
    assert!(matches!(exchange(&mut [clients, servers]), [Some(Ok(_)), Some(Ok(_))]));
}

#[test]
fn a_last_flight_that_is_lost_is_sent_again() {
    let (client, server) = (Identity::new().unwrap(), Identity::new().unwrap());
    let mut sides = pair(Instant::now(), &client, &server);
    // Hello, hello; the client's second flight.
    for from in [0, 1, 0] {
        while let Some(bytes) = sides[from].poll_transmit() {
            sides[1 - from].handle(&bytes);
        }
    }
    assert!(matches!(sides[1].poll_outcome(), Some(Ok(_))));
    let mut lost = 0;
    while sides[1].poll_transmit().is_some() {
        lost += 1;
    }
    assert!(lost > 0 && sides[0].poll_outcome().is_none());
    // The client's timer is OpenSSL's own: wait for it as its thread does, on something that never comes.
    let deadline = Instant::now() + Duration::from_secs(30);
    let (_sender, nothing) = std::sync::mpsc::channel::<()>();
    while sides[0].poll_outcome().is_none_or(|outcome| outcome.is_err()) {
        let now = Instant::now();
        assert!(now < deadline);
        let due = sides[0].poll_timeout(now).unwrap();
        let _ = nothing.recv_timeout(due.saturating_duration_since(now));
        sides[0].handle_timeout(Instant::now());
        while let Some(bytes) = sides[0].poll_transmit() {
            sides[1].handle(&bytes);
        }
        while let Some(bytes) = sides[1].poll_transmit() {
            sides[0].handle(&bytes);
        }
    }
}

#[test]
fn who_never_answers_is_given_up() {
    let identity = Identity::new().unwrap();
    let now = Instant::now();
    for role in [Role::Client, Role::Server] {
        let mut side = Association::new(now, &identity, role, &[identity.fingerprint()]).unwrap();
        let due = side.poll_timeout(now).unwrap();
        match role {
            Role::Client => assert!(due <= now + Duration::from_secs(1), "it sends once more"),
            Role::Server => assert_eq!(due, now + PATIENCE, "it waits"),
        }
        side.handle_timeout(now + PATIENCE);
        assert_eq!(side.poll_outcome(), Some(Err(Failure::Timeout)));
        assert_eq!(side.poll_timeout(now), None);
    }
}

#[test]
fn nobody_in_the_middle_can_choose_no_suite() {
    let (client, server) = (Identity::new().unwrap(), Identity::new().unwrap());
    let mut bare = openssl::ssl::SslContext::builder(openssl::ssl::SslMethod::dtls()).unwrap();
    bare.set_certificate(client.context.certificate().unwrap()).unwrap();
    bare.set_private_key(client.context.private_key().unwrap()).unwrap();
    let mut ssl = Ssl::new(&bare.build()).unwrap();
    ssl.set_connect_state();
    let mut stream = SslStream::new(ssl, Wire::default()).unwrap();
    let mut side = Association::new(Instant::now(), &server, Role::Server, &[client.fingerprint()]).unwrap();
    let outcome = loop {
        let _ = stream.do_handshake();
        let mut quiet = true;
        while let Some(bytes) = stream.get_mut().outgoing() {
            side.handle(&bytes);
            quiet = false;
        }
        while let Some(bytes) = side.poll_transmit() {
            stream.get_mut().incoming.push_back(bytes);
            quiet = false;
        }
        if let Some(outcome) = side.poll_outcome() {
            break outcome;
        }
        assert!(!quiet, "it stands still");
    };
    assert_eq!(outcome, Err(Failure::NoSuite));
}

#[test]
fn records_go_whole_into_datagrams() {
    let mut wire = Wire::default();
    let record = |length: usize| {
        let mut bytes = vec![22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0];
        bytes.extend((length as u16).to_be_bytes());
        bytes.extend(vec![7; length]);
        bytes
    };
    // The last one is not whole yet: OpenSSL's buffer cuts where it is full.
    for length in [500, 500, 300, 1100, 20] {
        wire.write_all(&record(length)).unwrap();
    }
    let last = record(40);
    wire.write_all(&last[..30]).unwrap();
    let lengths: Vec<usize> = std::iter::from_fn(|| wire.outgoing()).map(|datagram| datagram.len()).collect();
    assert_eq!(lengths, [1026, 313, 1146]);
    wire.write_all(&last[30..]).unwrap();
    assert_eq!(wire.outgoing(), Some(last));
    assert_eq!(wire.outgoing(), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever comes, nothing breaks, and without the key nothing is agreed on.
    #[test]
    fn rubbish_gives_no_keys(rubbish in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 1..20), server: bool) {
        let identity = Identity::new().unwrap();
        let role = if server { Role::Server } else { Role::Client };
        let mut side = Association::new(Instant::now(), &identity, role, &[identity.fingerprint()]).unwrap();
        for mut bytes in rubbish {
            side.handle(&bytes);
            // As a handshake's record, too.
            let mut header = vec![22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0];
            header.extend((bytes.len() as u16).to_be_bytes());
            header.append(&mut bytes);
            side.handle(&header);
            while side.poll_transmit().is_some() {}
            prop_assert!(!matches!(side.poll_outcome(), Some(Ok(_))));
        }
    }

    /// A handshake whose datagrams are changed on their way gives no keys, or on both sides the same.
    #[test]
    fn changed_datagrams_give_no_other_keys(place in 0usize..6, offset in 0usize..1200, flip in 1u8..) {
        let (client, server) = (Identity::new().unwrap(), Identity::new().unwrap());
        let mut sides = pair(Instant::now(), &client, &server);
        let mut keys = [None, None];
        let mut number = 0;
        for _ in 0..10 {
            for from in [0, 1] {
                while let Some(mut bytes) = sides[from].poll_transmit() {
                    if number == place {
                        let offset = offset % bytes.len();
                        bytes[offset] ^= flip;
                    }
                    number += 1;
                    sides[1 - from].handle(&bytes);
                }
                if let Some(Ok(srtp)) = sides[from].poll_outcome() {
                    keys[from] = Some(srtp);
                }
            }
        }
        if let [Some(clients), Some(servers)] = keys {
            prop_assert_eq!((clients.send, clients.receive), (servers.receive, servers.send));
        }
    }
}
