//! RFC 3665 section 2: Bob registers by TLS, with `sips:`.

use std::path::PathBuf;

use offhook::exchange::{Config, Exchange};
use offhook::net::TlsOptions;
use offhook::phone::command::Command;
use tempfile::TempDir;

use crate::phone::{Phone, account, values};
use crate::proxies::user;
use crate::run;

const NEW: [&str; 4] = ["> REGISTER", "< 401", "> REGISTER", "< 200"];
const AGAIN: [&str; 2] = ["> REGISTER", "< 200"];

/// SIP Server of section 2, with a certificate for 127.0.0.1.
fn server() -> (Exchange, PathBuf, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let params = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    let (certificate_file, key_file) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    std::fs::write(&certificate_file, params.self_signed(&key).unwrap().pem()).unwrap();
    std::fs::write(&key_file, key.serialize_pem()).unwrap();
    let tls = TlsOptions { certificate: Some(certificate_file.clone()), key: Some(key_file), ..TlsOptions::default() };
    let users = vec![user("bob", "zanzibar")];
    let exchange = Exchange::start(Config { domain: "biloxi.example.com".into(), users, tls, ..Config::default() });
    (exchange.unwrap(), certificate_file, folder)
}

fn bob(server: &Exchange, authority: PathBuf, password: &str) -> Phone {
    let proxy = format!("sips:127.0.0.1:{}", server.tls_port().unwrap());
    let tls = TlsOptions { ca_file: Some(authority), ..TlsOptions::default() };
    Phone::with_tls("TLS", Some(account("sips:bob@biloxi.example.com", password, &proxy)), tls)
}

/// 2.1, from which 2.2 to 2.4 go on.
async fn registered() -> (Phone, Exchange, TempDir) {
    let (server, authority, folder) = server();
    let mut bob = bob(&server, authority, "zanzibar");
    bob.ladder(&NEW).await;
    let registered = bob.sees("registered").await;
    assert_eq!(registered["expires"], 3600, "{registered}");
    assert_eq!(registered["contacts"].as_array().unwrap().len(), 1, "{registered}");
    (bob, server, folder)
}

#[test]
fn s2_1_successful_new_registration() {
    run(async {
        let (bob, _server, _folder) = registered().await;
        let (f1, f3) = (&bob.messages[0], &bob.messages[2]);
        assert!(f1.starts_with("REGISTER sips:biloxi.example.com SIP/2.0"), "{f1}");
        assert_eq!(values(f1, "To"), ["<sips:bob@biloxi.example.com>"]);
        assert!(values(f1, "Contact")[0].starts_with("<sips:"), "RFC 3261 section 8.1.1.8: {f1}");
        assert_eq!(values(f1, "Call-ID"), values(f3, "Call-ID"));
        assert_eq!((values(f1, "CSeq"), values(f3, "CSeq")), (vec!["1 REGISTER"], vec!["2 REGISTER"]));
        assert!(values(f1, "Authorization").is_empty() && !values(f3, "Authorization").is_empty());
    });
}

#[test]
fn s2_2_update_of_contact_list() {
    run(async {
        let (mut bob, _server, _folder) = registered().await;
        bob.does(Command::AddContact { account: None, contact: "mailto:bob@biloxi.example.com".into() }).await;
        bob.ladder(&AGAIN).await;
        let bindings = bob.sees("bindings").await;
        let contacts: Vec<&str> =
            bindings["contacts"].as_array().unwrap().iter().filter_map(|contact| contact["uri"].as_str()).collect();
        assert_eq!(contacts.len(), 2, "{bindings}");
        assert!(contacts.contains(&"mailto:bob@biloxi.example.com"), "{bindings}");
    });
}

#[test]
fn s2_3_request_for_current_contact_list() {
    run(async {
        let (mut bob, _server, _folder) = registered().await;
        bob.does(Command::QueryBindings { account: None }).await;
        bob.ladder(&AGAIN).await;
        assert!(values(bob.message("REGISTER"), "Contact").is_empty());
        let bindings = bob.sees("bindings").await;
        assert_eq!(bindings["contacts"].as_array().unwrap().len(), 1, "{bindings}");
    });
}

#[test]
fn s2_4_cancellation_of_registration() {
    run(async {
        let (mut bob, _server, _folder) = registered().await;
        bob.does(Command::ClearContacts { account: None }).await;
        bob.ladder(&AGAIN).await;
        let f1 = bob.message("REGISTER");
        assert_eq!((values(f1, "Contact"), values(f1, "Expires")), (vec!["*"], vec!["0"]));
        assert!(values(bob.message("SIP/2.0 200"), "Contact").is_empty());
        bob.sees("unregistered").await;
    });
}

#[test]
fn s2_5_unsuccessful_registration() {
    run(async {
        let (server, authority, _folder) = server();
        let mut bob = bob(&server, authority, "wrong");
        bob.ladder(&["> REGISTER", "< 401", "> REGISTER", "< 401"]).await;
        let failed = bob.sees("registration_failed").await;
        assert_eq!((&failed["code"], &failed["retry_in"]), (&401.into(), &serde_json::Value::Null));
    });
}
