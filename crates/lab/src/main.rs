//! A lab for people: hosts on this machine to play with, and words to break them.

mod words;

use std::io::{BufRead, IsTerminal, Write};

use anyhow::{Context, Result};
use clap::Parser;
use skep_lab::{Lab, Make};

use words::{Next, obey};

/// Starts hosts on this machine, each with a daemon, and breaks them as you say
///
/// Nothing of it stays when this ends, however it ends. It needs root.
#[derive(Debug, Parser)]
#[command(name = "skep-lab", version)]
struct Options {
    /// How many hosts run skepd
    #[arg(long, default_value_t = 5)]
    hosts: u8,
    /// How many hosts run a stock dockerd besides
    #[arg(long, default_value_t = 0)]
    stock: u8,
}

fn main() -> Result<()> {
    let Options { hosts, stock } = Options::parse();
    let mut lab = Lab::new().context("making a lab")?;
    let makes = (0..hosts).map(|_| Make::Skep).chain((0..stock).map(|_| Make::Stock));
    for (make, letter) in makes.zip('a'..='z') {
        let name = letter.to_string();
        let host = lab.add(&name, make).with_context(|| format!("adding host {name}"))?;
        println!("{name}  {}  {make:?}  export DOCKER_HOST={}", host.address(), host.endpoint());
    }
    println!("\"help\" lists the words; the end of input ends the lab");
    converse(&mut lab)
}

/// Obeys one line after the other, until there are no more. A person may try again after a fault; a script ends.
fn converse(lab: &mut Lab) -> Result<()> {
    let input = std::io::stdin();
    let is_person = input.is_terminal();
    for line in input.lock().lines() {
        match obey(lab, &line.context("reading standard input")?) {
            Ok(Next::End) => break,
            Err(trouble) if is_person => eprintln!("{trouble}"),
            Err(trouble) => return Err(trouble.into()),
            Ok(Next::More) => {}
        }
        // A person wants to be asked, and a script to be told.
        print!("{}", if is_person { "lab> " } else { "ok\n" });
        std::io::stdout().flush().context("writing to standard output")?;
    }
    Ok(())
}
