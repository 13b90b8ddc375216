//! The words that people say to a lab, one line each.

use std::process::Command;
use std::time::Duration;

use clap::Parser;
use skep_lab::{Lab, Result, Trouble};

/// What a line means.
#[derive(Debug, Parser)]
#[command(no_binary_name = true, disable_help_flag = true, help_template = "{subcommands}")]
enum Word {
    /// List the hosts, and how to speak with each
    Hosts,
    /// Run a docker command on a host: docker a node ls
    Docker(Said),
    /// Run a skep command on a host: skep a node ls
    Skep(Said),
    /// Run a program as a process of a host: in a curl http://10.77.0.2:80
    In(Said),
    /// Kill a host's daemon; its containers go on
    Kill { host: String },
    /// Ask a host's daemon to end; its containers go on
    Stop { host: String },
    /// Start a host's daemon
    Start { host: String },
    /// Turn a host's power off
    Off { host: String },
    /// Turn a host's power on
    On { host: String },
    /// Cut a host's cable
    Cut { host: String },
    /// Mend a host's cable
    Mend { host: String },
    /// Let nothing through between hosts: part a,b c,d,e
    Part(Sides),
    /// Let nothing through one way: wall a,b c
    Wall(Sides),
    /// Lose so many of a hundred packets from and to a host
    Lose {
        host: String,
        #[arg(value_parser = clap::value_parser!(u8).range(0..=100))]
        percent: u8,
    },
    /// Hold packets to a host back, in milliseconds
    Delay { host: String, millis: u64 },
    /// Take all walls and losses away
    Heal,
    /// Show the end of what a host's daemon logged
    Log { host: String },
    /// End the lab
    Quit,
}

/// A command on a host.
#[derive(Debug, clap::Args)]
struct Said {
    host: String,
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
    words: Vec<String>,
}

/// Two groups of hosts.
#[derive(Debug, clap::Args)]
struct Sides {
    these: String,
    those: String,
}

/// Whether more lines are wanted.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// They are.
    More,
    /// The lab shall end.
    End,
}

/// Does what a line says.
///
/// # Errors
/// If it means nothing, or cannot be done.
pub(crate) fn obey(lab: &mut Lab, line: &str) -> Result<Next> {
    if line.trim().is_empty() {
        return Ok(Next::More);
    }
    match Word::try_parse_from(line.split_whitespace()) {
        Ok(Word::Quit) => Ok(Next::End),
        Ok(word) => perform(lab, word).map(|()| Next::More),
        Err(error) => Err(Trouble::new(line, error)),
    }
}

fn perform(lab: &mut Lab, word: Word) -> Result<()> {
    match word {
        Word::Hosts => {
            for host in lab.hosts() {
                println!("{}  {}  export DOCKER_HOST={}", host.name(), host.address(), host.endpoint());
            }
            Ok(())
        }
        Word::Docker(Said { host, words }) => show(lab.host(&host)?.command_line("docker")?.args(words)),
        Word::Skep(Said { host, words }) => show(lab.host(&host)?.command_line("skep")?.args(words)),
        Word::In(Said { host, words }) => {
            let (program, words) = words.split_first().expect("at least one word is required");
            show(lab.host(&host)?.command(program)?.args(words))
        }
        Word::Kill { host } => lab.host_mut(&host)?.kill(),
        Word::Stop { host } => lab.host_mut(&host)?.stop(),
        Word::Start { host } => lab.host_mut(&host)?.start(),
        Word::Off { host } => lab.power_off(&host),
        Word::On { host } => lab.power_on(&host),
        Word::Cut { host } => lab.cut(&host),
        Word::Mend { host } => lab.mend(&host),
        Word::Part(Sides { these, those }) => lab.part(&names(&these), &names(&those)),
        Word::Wall(Sides { these, those }) => lab.wall(&names(&these), &names(&those)),
        Word::Lose { host, percent } => lab.lose(&host, percent),
        Word::Delay { host, millis } => lab.delay(&host, Duration::from_millis(millis)),
        Word::Heal => lab.heal(),
        Word::Log { host } => {
            println!("{}", lab.host(&host)?.last_words());
            Ok(())
        }
        Word::Quit => Ok(()),
    }
}

/// Runs a command in the person's terminal; what it says is for the person.
fn show(command: &mut Command) -> Result<()> {
    let doing = format!("starting {command:?}");
    command.status().map(drop).map_err(|error| Trouble::new(doing, error))
}

fn names(list: &str) -> Vec<&str> {
    list.split(',').collect()
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn lines_mean_what_they_say() {
        Word::command().debug_assert();
        let read = |line: &str| Word::try_parse_from(line.split_whitespace()).map(|word| format!("{word:?}"));
        let part = read("part a,b c").unwrap();
        assert_eq!(part, "Part(Sides { these: \"a,b\", those: \"c\" })");
        let docker = read("docker a node ls -q").unwrap();
        assert_eq!(docker, "Docker(Said { host: \"a\", words: [\"node\", \"ls\", \"-q\"] })");
        for wrong in ["cut", "lose a many", "lose a 101", "explode a"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
