//! Terminals and signals, through both command lines.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::os::fd::AsFd;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::host::{Host, sibling};
use crate::pty::Terminal;

/// Both command lines.
fn programs() -> [String; 2] {
    ["docker".to_owned(), sibling("skep")]
}

/// A machine with the image, and a container `one` that has a shell on a terminal.
fn with_shell() -> Host {
    let host = Host::start();
    host.load_busybox();
    host.docker(&["run", "-dit", "--name", "one", "busybox:test", "sh"]);
    host
}

fn on_terminal(host: &Host, program: &str, words: &[&str]) -> Terminal {
    let mut command = host.command(program);
    command.args(words);
    Terminal::start(&command, [33, 77])
}

fn is_running(host: &Host, container: &str) -> bool {
    host.docker(&["inspect", "--format", "{{.State.Running}}", container]) == "true\n"
}

#[test]
#[ignore = "needs root"]
fn a_process_has_the_terminal_it_was_run_on() {
    let host = with_shell();
    let line = ["sh", "-c", "stty size; test -t 0 && echo is a tty; exit 4"];
    for program in programs() {
        for begin in [&["run", "--rm", "-it", "busybox:test"][..], &["exec", "-it", "one"]] {
            let mut terminal = on_terminal(&host, &program, &[begin, &line].concat());
            terminal.until("33 77").until("is a tty");
            assert_eq!(terminal.end().0, Some(4), "{program} {begin:?}");

            let mut terminal = on_terminal(&host, &program, &[begin, &["sh"]].concat());
            terminal.until("# ").types("echo he''llo; exit 5\n").until("hello");
            assert_eq!(terminal.end().0, Some(5), "{program} {begin:?}");
        }
    }
    assert_eq!(host.docker(&["ps", "-aq"]).lines().count(), 1);
}

#[test]
#[ignore = "needs root"]
fn the_size_follows_the_persons_terminal() {
    let host = Host::start();
    host.load_busybox();
    let line = "trap 'stty size' WINCH; echo ready; while true; do sleep 0.05; done";
    for program in programs() {
        host.docker(&["run", "-dit", "--name", "one", "busybox:test", "sh", "-c", line]);
        for words in [
            &["run", "--rm", "-it", "--name", "two", "busybox:test", "sh", "-c", line][..],
            &["exec", "-it", "one", "sh", "-c", line],
            &["attach", "one"],
        ] {
            let mut terminal = on_terminal(&host, &program, words);
            // Who joins shows its own size first; only then does it look for another.
            terminal.until(if words[0] == "attach" { "33 77" } else { "ready" });
            for size in [[20, 50], [40, 120], [21, 51]] {
                terminal.resize_until(size, &format!("{} {}", size[0], size[1]));
            }
            terminal.types("\x10\x11");
            terminal.end();
        }
        host.docker(&["rm", "-f", "one", "two"]);
    }
}

#[test]
#[ignore = "needs root"]
fn a_person_leaves_and_comes_back() {
    let host = with_shell();
    let left = "read escape sequence";
    for program in programs() {
        let begin = ["run", "-it", "--name", "two"];
        let mut terminal = on_terminal(&host, &program, &[&begin[..], &["busybox:test", "sh"]].concat());
        terminal.until("# ").types("echo fi''rst\n").until("first").until("# ").types("\x10\x11");
        let (code, shown) = terminal.end();
        assert!(code == Some(0) && !shown.contains(left), "{program}: {code:?} {shown}");
        assert!(is_running(&host, "two"));

        let mut terminal = on_terminal(&host, &program, &["attach", "--detach-keys", "ctrl-x,q", "two"]);
        // What begins like the keys and is something else goes to the process.
        terminal.types("echo se''cond\n").until("second").types("\x10echo th''ird\n").until("third");
        terminal.types("\x18q").until(left);
        assert_eq!(terminal.end().0, Some(1), "{program}");
        assert!(is_running(&host, "two"));

        let words = ["exec", "-it", "--detach-keys", "a,b", "two", "sh", "-c", "echo ready; exec sleep 1000"];
        let mut terminal = on_terminal(&host, &program, &words);
        terminal.until("ready").types("ab").until(left);
        assert_eq!(terminal.end().0, Some(1), "{program}");
        assert!(host.docker(&["top", "two"]).contains("sleep 1000"), "{program}: it goes on");
        host.docker(&["rm", "-f", "two"]);

        let words = ["run", "-it", "--name", "two", "--detach-keys", "ctrl-a", "busybox:test", "sh"];
        let mut terminal = on_terminal(&host, &program, &words);
        terminal.until("# ").types("\x01");
        assert_eq!(terminal.end().0, Some(0), "{program}");
        let mut terminal = on_terminal(&host, &program, &["start", "-ai", "two"]);
        terminal.types("exit 6\n");
        assert_eq!(terminal.end().0, Some(6), "{program}");
        host.docker(&["rm", "-f", "two"]);

        for keys in ["ctrl-", "abc", "ctrl-p,"] {
            let refused = host.command(&program).args(["attach", "--detach-keys", keys, "one"]).output();
            assert!(!refused.expect("it runs").status.success(), "{program}: {keys}");
        }
    }
}

#[test]
#[ignore = "needs root"]
fn a_program_that_cannot_run_is_told_by_the_code() {
    let host = with_shell();
    for program in programs() {
        let code =
            |words: &[&str]| host.command(&program).args(words).output().expect("it runs").status.code();
        for (name, expected) in [("nope", 127), ("/nope", 127), ("/etc/passwd", 126), ("/etc", 126)] {
            assert_eq!(code(&["exec", "one", name]), Some(expected), "{program} exec {name}");
            assert_eq!(code(&["run", "--rm", "busybox:test", name]), Some(expected), "{program} run {name}");
        }
        for words in [
            &["run", "--rm", "--pull", "never", "registry.invalid/none"][..],
            &["run", "--rm", "--memory", "1k", "busybox:test", "true"],
            &["run", "--rm", "--publish", "foo", "busybox:test", "true"],
            &["run", "--no-such-flag", "busybox:test"],
            &["run", "--rm", "--name", "one", "busybox:test", "true"],
        ] {
            assert_eq!(code(words), Some(125), "{program} {words:?}");
        }
    }
}

/// A command that is heard and told signals.
struct Spoken {
    child: Child,
    said: BufReader<ChildStdout>,
}

impl Spoken {
    fn start(host: &Host, program: &str, words: &[&str]) -> Self {
        let mut command = host.command(program);
        let mut child = command.args(words).stdout(Stdio::piped()).spawn().expect("it runs");
        let said = BufReader::new(child.stdout.take().expect("a pipe"));
        Self { child, said }
    }

    fn until(&mut self, line: &str) {
        let mut said = String::new();
        while said.trim_end() != line {
            said.clear();
            assert!(self.said.read_line(&mut said).expect("it speaks") > 0, "it never said {line}");
        }
    }

    fn told(&self, signal: &str) {
        let sent = Command::new("kill").args(["-s", signal, &self.child.id().to_string()]).status();
        assert!(sent.expect("kill is there").success());
    }

    fn end(mut self) -> Option<i32> {
        self.child.wait().expect("it ends").code()
    }
}

#[test]
#[ignore = "needs root"]
fn signals_reach_the_container() {
    let host = Host::start();
    host.load_busybox();
    let line = "trap 'exit 9' TERM; trap 'exit 8' INT; trap 'echo heard' USR1; echo ready; while true; do sleep 0.05; echo on; done";
    for program in programs() {
        for (signal, code) in [("TERM", 9), ("INT", 8)] {
            let mut run = Spoken::start(&host, &program, &["run", "--rm", "busybox:test", "sh", "-c", line]);
            run.until("ready");
            run.told("USR1");
            run.until("heard");
            run.told(signal);
            assert_eq!(run.end(), Some(code), "{program} run {signal}");

            host.docker(&["run", "-d", "--name", "one", "busybox:test", "sh", "-c", line]);
            let mut attached = Spoken::start(&host, &program, &["attach", "one"]);
            attached.until("on");
            attached.told(signal);
            assert_eq!(attached.end(), Some(code), "{program} attach {signal}");
            host.docker(&["rm", "one"]);
        }
    }
}

/// A command with a pipe to its input.
fn fed(host: &Host, program: &str, words: &[&str]) -> (Child, ChildStdin) {
    let mut command = host.command(program);
    let mut child =
        command.args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it runs");
    let input = child.stdin.take().expect("a pipe");
    (child, input)
}

#[test]
#[ignore = "needs root"]
fn all_input_is_read_however_slowly() {
    let host = with_shell();
    let bytes = vec![b'x'; 1_000_000];
    for program in programs() {
        for begin in [&["run", "--rm", "-i", "busybox:test"][..], &["exec", "-i", "one"]] {
            let line = ["sh", "-c", "sleep 0.5; wc -c"];
            let (child, mut input) = fed(&host, &program, &[begin, &line].concat());
            input.write_all(&bytes).expect("it reads");
            drop(input);
            let output = child.wait_with_output().expect("it ends");
            assert_eq!(String::from_utf8_lossy(&output.stdout), "1000000\n", "{program} {begin:?}");
        }
    }
}

#[test]
#[ignore = "needs root"]
fn who_speaks_long_before_it_reads_is_heard() {
    let host = Host::start();
    host.load_busybox();
    for program in programs() {
        let line = ["sh", "-c", "head -c 3000000 /dev/zero; cat >/dev/null"];
        let words = [&["run", "--rm", "-i", "busybox:test"][..], &line].concat();
        let (child, mut input) = fed(&host, &program, &words);
        let give = std::thread::spawn(move || input.write_all(&[b'x'; 3_000_000]));
        let output = child.wait_with_output().expect("it ends");
        assert_eq!(output.stdout.len(), 3_000_000, "{program}");
        give.join().expect("no panic").expect("all is read");
    }
}

#[test]
#[ignore = "needs root"]
fn who_never_reads_its_input_can_be_stopped() {
    let host = Host::start();
    host.load_busybox();
    for program in programs() {
        let words = ["run", "--rm", "-i", "--name", "deaf", "busybox:test", "sh", "-c", "exec sleep 1000"];
        let (mut child, input) = fed(&host, &program, &words);
        // Far more than all pipes on the way hold.
        let give = std::thread::spawn(move || { &input }.write_all(&[b'x'; 8_000_000]));
        host.until("its pipe is full", || {
            let told = host.try_docker(&["inspect", "--format", "{{.State.Pid}}", "deaf"]).stdout;
            let pid = String::from_utf8(told).expect("numbers are text");
            let pipe = File::options().write(true).open(format!("/proc/{}/fd/0", pid.trim())).ok()?;
            let mut room = [PollFd::new(pipe.as_fd(), PollFlags::POLLOUT)];
            (poll(&mut room, PollTimeout::ZERO) == Ok(0)).then_some(())
        });
        host.docker(&["kill", "deaf"]);
        assert_eq!(child.wait().expect("it ends").code(), Some(137), "{program}");
        // What nobody read is lost with it, wherever it was.
        let _ = give.join().expect("no panic");
    }
}

/// The stock one waits for three signals.
#[test]
#[ignore = "needs root"]
fn signals_end_only_our_command_line_if_that_is_wished() {
    let host = Host::start();
    host.load_busybox();
    let line = "trap 'exit 9' TERM; echo ready; while true; do sleep 0.05; echo on; done";
    let program = sibling("skep");
    let begin = ["run", "--name", "one", "--sig-proxy=false", "busybox:test"];
    let mut run = Spoken::start(&host, &program, &[&begin[..], &["sh", "-c", line]].concat());
    run.until("ready");
    run.told("TERM");
    assert_eq!(run.end(), None, "it ends by the signal");
    assert!(is_running(&host, "one"));

    let mut attached = Spoken::start(&host, &program, &["attach", "--sig-proxy=false", "one"]);
    attached.until("on");
    // Not INT: a shell that runs tests in the background has it ignored, also by what they start.
    attached.told("USR1");
    assert_eq!(attached.end(), None, "it ends by the signal");
    assert!(is_running(&host, "one"));
}
