//! Terminals and signals, through the stock CLI: `script` is the person's terminal.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Output, Stdio};

use crate::host::Host;

/// Runs a line of shell on a terminal.
fn on_terminal(host: &Host, line: &str) -> Output {
    terminal(host, line).stdin(Stdio::null()).output().expect("script is installed")
}

/// The same, and types this when a shell asks for something.
fn typed_on_terminal(host: &Host, line: &str, typed: &str) -> Output {
    let mut child = terminal(host, line)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("script is installed");
    let mut keyboard = child.stdin.take().expect("its input is a pipe");
    let mut screen = child.stdout.take().expect("its output is a pipe");
    let mut stdout = Vec::new();
    let mut letter = [0];
    // What is typed before the terminal is handed through is lost.
    while !stdout.ends_with(b"# ") && screen.read(&mut letter).expect("it shows something") > 0 {
        stdout.push(letter[0]);
    }
    keyboard.write_all(typed.as_bytes()).expect("it reads what is typed");
    screen.read_to_end(&mut stdout).expect("it shows all");
    // The keyboard stays there until all is over: its end would be typed too.
    let status = child.wait().expect("it ends");
    drop(keyboard);
    Output { status, stdout, stderr: Vec::new() }
}

fn terminal(host: &Host, line: &str) -> Command {
    let mut command = host.command("timeout");
    command.args(["60", "script", "-q", "-e", "-c", line, "/dev/null"]);
    command
}

fn shown(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
#[ignore = "needs root"]
fn a_container_has_the_terminal_it_was_run_on() {
    let host = Host::start();
    host.load_busybox();
    let line = "stty rows 33 cols 77; docker run --rm -it busybox:test sh -c 'stty size; test -t 0 && echo is a tty; exit 4'";
    let output = on_terminal(&host, line);
    assert!(shown(&output).contains("33 77") && shown(&output).contains("is a tty"), "{}", shown(&output));
    assert_eq!(output.status.code(), Some(4));

    let output = typed_on_terminal(&host, "docker run --rm -it busybox:test sh", "echo he''llo; exit 5\n");
    assert!(shown(&output).contains("hello"), "{}", shown(&output));
    assert_eq!(output.status.code(), Some(5));
    assert_eq!(host.docker(&["ps", "-aq"]), "");
}

#[test]
#[ignore = "needs root"]
fn a_further_process_has_the_terminal_it_was_run_on() {
    let host = Host::start();
    host.load_busybox();
    host.docker(&["run", "-d", "--name", "one", "busybox:test", "sleep", "1000"]);
    let line = "stty rows 22 cols 66; docker exec -it one sh -c 'stty size; exit 6'";
    let output = on_terminal(&host, line);
    assert!(shown(&output).contains("22 66"), "{}", shown(&output));
    assert_eq!(output.status.code(), Some(6));
    let output = typed_on_terminal(&host, "docker exec -it one sh", "echo he''llo; exit 7\n");
    assert!(shown(&output).contains("hello"), "{}", shown(&output));
    assert_eq!(output.status.code(), Some(7));
    for (program, code) in [("nope", 127), ("/etc/passwd", 126)] {
        assert_eq!(host.try_docker(&["exec", "one", program]).status.code(), Some(code), "{program}");
    }
}

#[test]
#[ignore = "needs root"]
fn signals_reach_the_container() {
    let host = Host::start();
    host.load_busybox();
    let line = "trap 'exit 9' TERM; echo ready; while true; do sleep 0.05; done";
    let mut command = host.command("docker");
    command.args(["run", "--rm", "busybox:test", "sh", "-c", line]).stdout(Stdio::piped());
    let mut child = command.spawn().expect("the docker CLI is installed");
    let mut said = String::new();
    BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut said).expect("it speaks");
    assert_eq!(said, "ready\n");
    let sent = Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
    assert!(sent.expect("kill is there").success());
    assert_eq!(child.wait().expect("it ends").code(), Some(9));
}
