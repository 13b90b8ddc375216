//! The switch between the hosts: a bridge on a machine of its own, with cables that can be cut, walls between hosts,
//! and cables that lose or delay what they carry.
//!
//! In: who is plugged in, and what is wished of the ways between them. Out: links and packet rules. The rules are
//! written anew as a whole whenever a wish changes.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::net::Ipv4Addr;
use std::time::Duration;

use crate::command::{output, output_for};
use crate::home::Home;
use crate::machine::Machine;
use crate::trouble::Result;

/// The switch between the hosts.
#[derive(Debug)]
pub(crate) struct Switch {
    machine: Machine,
    ways: Ways,
}

/// What is wished of the ways between hosts.
#[derive(Debug, Default)]
struct Ways {
    /// From whom nothing reaches whom.
    walls: BTreeSet<(String, String)>,
    /// How many of a hundred packets are lost on the way from a host and on the way to it.
    losses: BTreeMap<String, u8>,
}

/// The network of a lab.
pub(crate) const SUBNET_BITS: u8 = 24;
const BRIDGE: &str = "bridge";
const TABLE: &str = "table bridge lab";

impl Switch {
    /// A switch that nobody is plugged into.
    pub(crate) fn start(home: &Home) -> Result<Self> {
        let machine = Machine::start(&home.script(), &home.path().join("switch"))?;
        machine.ip(&["link", "add", BRIDGE, "type", "bridge"])?;
        machine.ip(&["link", "set", BRIDGE, "up"])?;
        Ok(Self { machine, ways: Ways::default() })
    }

    /// Plugs a machine in, by a cable with its name.
    pub(crate) fn plug(&self, name: &str, machine: &Machine, address: Ipv4Addr) -> Result<()> {
        let (cable, number) = (cable(name), machine.first().to_string());
        self.machine
            .ip(&["link", "add", &cable, "type", "veth", "peer", "name", "eth0", "netns", &number])?;
        self.machine.ip(&["link", "set", &cable, "master", BRIDGE, "up"])?;
        machine.ip(&["address", "add", &format!("{address}/{SUBNET_BITS}"), "dev", "eth0"])?;
        machine.ip(&["link", "set", "eth0", "up"])
    }

    /// Cuts a cable.
    pub(crate) fn cut(&self, name: &str) -> Result<()> {
        self.machine.ip(&["link", "set", &cable(name), "down"])
    }

    /// Mends a cable.
    pub(crate) fn mend(&self, name: &str) -> Result<()> {
        self.machine.ip(&["link", "set", &cable(name), "up"])
    }

    /// Lets nothing through from these to those; the other way stays open.
    pub(crate) fn wall(&mut self, from: &[&str], to: &[&str]) -> Result<()> {
        for from in from {
            self.ways.walls.extend(to.iter().map(|to| ((*from).to_owned(), (*to).to_owned())));
        }
        self.write_rules()
    }

    /// Loses so many of a hundred packets from this host and to it.
    pub(crate) fn lose(&mut self, name: &str, percent: u8) -> Result<()> {
        self.ways.losses.insert(name.to_owned(), percent);
        self.write_rules()
    }

    /// Holds all packets to this host back for so long.
    ///
    /// # Errors
    /// If the kernel has no `netem`, among others.
    pub(crate) fn delay(&self, name: &str, delay: Duration) -> Result<()> {
        let delay = format!("{}us", delay.as_micros());
        let cable = cable(name);
        let words = ["qdisc", "replace", "dev", &cable, "root", "netem", "delay", &delay];
        output(self.machine.networked("tc").args(words)).map(drop)
    }

    /// Takes walls and losses away.
    pub(crate) fn heal(&mut self) -> Result<()> {
        self.ways = Ways::default();
        self.write_rules()
    }

    fn write_rules(&self) -> Result<()> {
        output_for(self.machine.networked("nft").args(["-f", "-"]), &self.ways.rules()).map(drop)
    }
}

impl Ways {
    /// The rules as a whole; the first two lines take away those that were.
    fn rules(&self) -> String {
        let mut text = format!("{TABLE} {{}}\ndelete {TABLE}\n{TABLE} {{\n");
        text.push_str("chain forward {\ntype filter hook forward priority 0;\n");
        for (from, to) in &self.walls {
            line(&mut text, format_args!("iifname {} oifname {} drop", cable(from), cable(to)));
        }
        for (name, percent) in &self.losses {
            // The kernel draws numbers below 100, and refuses to compare them with more.
            let drawn =
                if *percent < 100 { format!("numgen random mod 100 < {percent} ") } else { String::new() };
            for side in ["iifname", "oifname"] {
                line(&mut text, format_args!("{side} {} {drawn}drop", cable(name)));
            }
        }
        text + "}\n}\n"
    }
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(text, "{line}").expect("texts grow");
}

/// The switch's end of a host's cable.
fn cable(name: &str) -> String {
    format!("to-{name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_written_as_a_whole() {
        let ways =
            Ways { walls: [("a".to_owned(), "b".to_owned())].into(), losses: [("c".to_owned(), 7)].into() };
        let expected = "table bridge lab {}\ndelete table bridge lab\ntable bridge lab {\nchain forward {\n\
                        type filter hook forward priority 0;\niifname to-a oifname to-b drop\n\
                        iifname to-c numgen random mod 100 < 7 drop\n\
                        oifname to-c numgen random mod 100 < 7 drop\n}\n}\n";
        assert_eq!(ways.rules(), expected);
    }
}
