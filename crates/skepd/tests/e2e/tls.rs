//! The API on TCP: only for clients who prove who they are.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::host::{Host, sibling};

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

/// A machine whose daemon hears the clients of `ours` on TCP; there is another authority, `theirs`.
fn guarded() -> Host {
    Host::start_with(|home| {
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
    })
}

#[test]
#[ignore = "needs root"]
fn only_clients_of_the_authority_are_heard() {
    let host = guarded();
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

    assert!(heard(&good), "it goes on serving");
}

/// Where the daemon is, and what docker's variables and a command line say of it.
const GUARDED: &str = "tcp://127.0.0.1:2376";

/// Variables and flags, and what the answer holds; blanks part the words, and HOME is the machine's folder.
const WAYS: &[(&str, &str, &str)] = &[
    ("DOCKER_HOST=tcp://127.0.0.1:2376 DOCKER_TLS_VERIFY=1 DOCKER_CERT_PATH=HOME/certs", "", "yes"),
    ("DOCKER_HOST=tcp://127.0.0.1:2376 DOCKER_TLS=1 DOCKER_CERT_PATH=HOME/certs", "", "yes"),
    ("DOCKER_HOST=tcp://127.0.0.1:2376 DOCKER_CONFIG=HOME/certs", "--tlsverify", "yes"),
    ("DOCKER_CERT_PATH=HOME/certs", "-H tcp://127.0.0.1:2376 --tls", "yes"),
    (
        "DOCKER_CERT_PATH=HOME/certs",
        "-H tcp://127.0.0.1:2376 --tlsverify=false --tlscacert HOME/theirs-ca",
        "yes",
    ),
    (
        "",
        "-H tcp://127.0.0.1:2376 --tlsverify --tlscacert HOME/ours-ca --tlscert HOME/ours-client --tlskey HOME/ours-client-key",
        "yes",
    ),
    (
        "DOCKER_CERT_PATH=HOME/certs",
        "-H tcp://127.0.0.1:2376 --tlsverify --tlscacert HOME/theirs-ca",
        "certificate",
    ),
    ("", "-H tcp://127.0.0.1:2376 --tlsverify --tlscacert HOME/ours-ca", "certificate required"),
    (
        "",
        "-H tcp://127.0.0.1:2376 --tlsverify --tlscacert HOME/ours-ca --tlscert HOME/theirs-client --tlskey HOME/theirs-client-key",
        "",
    ),
    ("DOCKER_CERT_PATH=HOME", "-H tcp://127.0.0.1:2376 --tlsverify", "ca.pem"),
    ("DOCKER_CERT_PATH=HOME/certs", "-H tcp://127.0.0.1:2376 --tlsverify --tlscert HOME/none", "HOME/none"),
    ("", "-H tcp://127.0.0.1:2376", ""),
];

#[test]
#[ignore = "needs root"]
fn both_command_lines_prove_who_they_are() {
    let host = guarded();
    host.load_busybox();
    let home = host.path("").display().to_string();
    let home = home.trim_end_matches('/');
    std::fs::create_dir(host.path("certs")).expect("folders can be made");
    for (from, to) in [("ours-ca", "ca.pem"), ("ours-client", "cert.pem"), ("ours-client-key", "key.pem")] {
        std::fs::copy(host.path(from), host.path("certs").join(to)).expect("files can be copied");
    }
    let words = |line: &str| -> Vec<String> {
        line.split_whitespace().map(|word| word.replace("HOME", home)).collect()
    };
    for program in ["docker", &sibling("skep")] {
        for (variables, flags, said) in WAYS {
            let variables = words(variables);
            let pairs = variables.iter().filter_map(|word| word.split_once('='));
            let mut command = host.command_inside(program);
            command.envs(pairs).args(words(flags));
            let Output { status, stdout, stderr } = command
                .args(["version", "--format", "yes {{.Server.APIVersion}}"])
                .output()
                .expect("it runs");
            let told = [stdout, stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
            assert_eq!(status.success(), *said == "yes", "{program} {variables:?} {flags}: {told}");
            let said = said.replace("HOME", home);
            assert!(told.contains(&said), "{program} {variables:?} {flags}: {told}");
        }
    }
}

#[test]
#[ignore = "needs root"]
fn a_container_is_spoken_with_through_tls() {
    let host = guarded();
    host.load_busybox();
    let file = |what: &str| host.path(what).display().to_string();
    let flags =
        ["-H", GUARDED, "--tlsverify", "--tlscacert", &file("ours-ca"), "--tlscert", &file("ours-client")];
    let key = ["--tlskey", &file("ours-client-key")];
    let run = ["run", "--rm", "-i", "busybox:test", "sh", "-c", "cat; exit 3"];
    for program in ["docker", &sibling("skep")] {
        let mut command = host.command_inside(program);
        command.args(flags).args(key).args(run).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("it runs");
        child.stdin.take().expect("a pipe").write_all(b"hello").expect("it reads");
        let output = child.wait_with_output().expect("it ends");
        assert_eq!(String::from_utf8_lossy(&output.stdout), "hello", "{program}");
        assert_eq!(output.status.code(), Some(3), "{program}");
    }
}
