//! The API on TCP: only for clients who prove who they are.

use std::path::Path;
use std::process::Command;

use crate::host::Host;

/// An authority of its own, with a certificate for a server at 127.0.0.1 and one for a client.
fn authority(folder: &Path, name: &str) {
    let file = |what: &str| folder.join(format!("{name}-{what}")).display().to_string();
    let openssl = |words: &[&str]| {
        let output = Command::new("openssl").args(words).output().expect("openssl is installed");
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    };
    let new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
    let subject = format!("/CN={name}");
    let root =
        ["req", "-x509", "-days", "2", "-subj", &subject, "-keyout", &file("ca-key"), "-out", &file("ca")];
    openssl(&[&root[..], &new_key[..]].concat());
    for (whose, extension) in [
        ("server", "subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth"),
        ("client", "extendedKeyUsage=clientAuth"),
    ] {
        std::fs::write(folder.join("extensions"), extension).expect("files can be written");
        let request = file("request");
        let subject = format!("/CN={whose}");
        let asked = ["req", "-subj", &subject, "-keyout", &file(&format!("{whose}-key")), "-out", &request];
        openssl(&[&asked[..], &new_key[..]].concat());
        openssl(&[
            "x509",
            "-req",
            "-days",
            "2",
            "-in",
            &request,
            "-CA",
            &file("ca"),
            "-CAkey",
            &file("ca-key"),
            "-CAcreateserial",
            "-out",
            &file(whose),
            "-extfile",
            &folder.join("extensions").display().to_string(),
        ]);
    }
}

#[test]
#[ignore = "needs root"]
fn only_clients_of_the_authority_are_heard() {
    let host = Host::start_with(|home| {
        authority(home, "ours");
        authority(home, "theirs");
        let file = |what: &str| home.join(what).display().to_string();
        let words = [
            "--host".to_owned(),
            "tcp://127.0.0.1:2376".to_owned(),
            "--tlsverify".to_owned(),
            "--tlscacert".to_owned(),
            file("ours-ca"),
            "--tlscert".to_owned(),
            file("ours-server"),
            "--tlskey".to_owned(),
            file("ours-server-key"),
        ];
        words.into()
    });
    let path = |what: &str| host.path(what).display().to_string();
    let ask = |words: &[&str]| {
        let url = ["-sS", "--max-time", "10", "https://127.0.0.1:2376/_ping"];
        host.inside("curl", &[&url[..], words].concat())
    };
    let (ca, theirs_ca) = (path("ours-ca"), path("theirs-ca"));
    let good = ["--cacert", &ca, "--cert", &path("ours-client"), "--key", &path("ours-client-key")];
    let heard = |words: &[&str]| String::from_utf8_lossy(&ask(words).stdout) == "OK";
    assert!(heard(&good), "{}", String::from_utf8_lossy(&ask(&good).stderr));
    assert!(!heard(&["--cacert", &ca]), "without a certificate");
    let foreign = ["--cacert", &ca, "--cert", &path("theirs-client"), "--key", &path("theirs-client-key")];
    assert!(!heard(&foreign), "with a certificate of another authority");
    let distrustful =
        ["--cacert", &theirs_ca, "--cert", &path("ours-client"), "--key", &path("ours-client-key")];
    assert!(!heard(&distrustful), "by a client that trusts another authority");
    let plain = host.inside("curl", &["-sS", "--max-time", "10", "http://127.0.0.1:2376/_ping"]);
    assert!(String::from_utf8_lossy(&plain.stdout) != "OK", "without TLS");

    let flags = [
        "--host",
        "tcp://127.0.0.1:2376",
        "--tlsverify",
        "--tlscacert",
        &ca,
        "--tlscert",
        good[3],
        "--tlskey",
        good[5],
    ];
    let stock =
        host.inside("docker", &[&flags[..], &["version", "--format", "{{.Server.APIVersion}}"]].concat());
    assert_eq!(
        String::from_utf8_lossy(&stock.stdout).trim(),
        "1.51",
        "{}",
        String::from_utf8_lossy(&stock.stderr)
    );
    assert!(heard(&good), "it goes on serving");
}
