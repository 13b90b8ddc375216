//! The packet rules of one table, as a value that prints itself in the language of `nft`.
//!
//! In: chains of rules. Out: their text. It knows the grammar of rules and no reason for any of them.

use std::fmt;
use std::net::Ipv4Addr;

use crate::sandbox::{Protocol, word};
use crate::subnet::Subnet;

/// All rules of one table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ruleset {
    /// The table's name.
    pub table: String,
    /// Its chains; one that others go to stands before them.
    pub chains: Vec<Chain>,
}

/// A list of rules with a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// Its name.
    pub name: String,
    /// Where packets enter it; None if only other chains lead to it.
    pub hook: Option<Hook>,
    /// The rules, asked in this order.
    pub rules: Vec<Rule>,
}

/// Where packets enter a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    /// On arrival, before flows are looked up.
    Guard,
    /// On arrival, to be sent elsewhere.
    Arriving,
    /// On departure from a process of this host, to be sent elsewhere.
    Departing,
    /// On the way into a process of this host.
    Entering,
    /// On the way through.
    Passing,
    /// On the way out, to be given another sender.
    Leaving,
}

/// If all of it is so, then this is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// What must be so.
    pub when: Vec<Match>,
    /// What is done.
    pub then: Action,
}

/// Something that may be so of a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Match {
    /// It came by this interface.
    From(String),
    /// It leaves by this interface.
    Through(String),
    /// It leaves by any other interface.
    NotThrough(String),
    /// Its sender is in this subnet.
    Source(Subnet),
    /// Its receiver is in this subnet.
    Target(Subnet),
    /// It is for this address.
    For(Ipv4Addr),
    /// It is for an address of this host.
    ForThisHost,
    /// It is for this port.
    Port(Protocol, u16),
    /// It belongs to a flow that was sent elsewhere.
    Redirected,
}

/// What is done with a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// It vanishes.
    Drop,
    /// Its sender is told that nobody is there.
    Reject,
    /// It gets this host's address as its sender.
    Masquerade,
    /// It goes on in another chain.
    Goto(String),
    /// It goes on in the chain of its protocol and port, if there is one.
    ByPort(Vec<((Protocol, u16), String)>),
    /// It goes on in the chain of its receiver, if there is one.
    ByTarget(Vec<(Ipv4Addr, String)>),
    /// It is sent to one of these, each in its turn. Never empty.
    Spread(Vec<(Ipv4Addr, u16)>),
    /// It is sent to one of these, each in its turn, and keeps its port. Never empty.
    SpreadKeepingPort(Vec<Ipv4Addr>),
}

impl Hook {
    /// Type, hook and priority, as the kernel's tools say them.
    pub fn words(self) -> (&'static str, &'static str, i32) {
        match self {
            Hook::Guard => ("filter", "prerouting", -300),
            Hook::Arriving => ("nat", "prerouting", -100),
            Hook::Departing => ("nat", "output", -100),
            Hook::Entering => ("filter", "input", 0),
            Hook::Passing => ("filter", "forward", 0),
            Hook::Leaving => ("nat", "postrouting", 100),
        }
    }
}

impl fmt::Display for Ruleset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "table ip {} {{", self.table)?;
        for chain in &self.chains {
            writeln!(f, "\tchain {} {{", chain.name)?;
            if let Some((kind, hook, priority)) = chain.hook.map(Hook::words) {
                writeln!(f, "\t\ttype {kind} hook {hook} priority {priority}; policy accept;")?;
            }
            for rule in &chain.rules {
                writeln!(f, "\t\t{rule}")?;
            }
            writeln!(f, "\t}}")?;
        }
        writeln!(f, "}}")
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for condition in &self.when {
            write!(f, "{condition} ")?;
        }
        write!(f, "{}", self.then)
    }
}

impl fmt::Display for Match {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Match::From(name) => write!(f, "iifname \"{name}\""),
            Match::Through(name) => write!(f, "oifname \"{name}\""),
            Match::NotThrough(name) => write!(f, "oifname != \"{name}\""),
            Match::Source(subnet) => write!(f, "ip saddr {subnet}"),
            Match::Target(subnet) => write!(f, "ip daddr {subnet}"),
            Match::For(address) => write!(f, "ip daddr {address}"),
            Match::ForThisHost => write!(f, "fib daddr type local"),
            Match::Port(protocol, port) => write!(f, "{} dport {port}", word(*protocol)),
            Match::Redirected => write!(f, "ct status dnat"),
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Action::Drop => write!(f, "drop"),
            Action::Reject => write!(f, "reject with icmp type port-unreachable"),
            Action::Masquerade => write!(f, "masquerade"),
            Action::Goto(chain) => write!(f, "goto {chain}"),
            Action::ByPort(doors) => {
                let door = |((protocol, port), chain): &((Protocol, u16), String)| {
                    format!("{} . {port} : goto {chain}", word(*protocol))
                };
                write!(f, "meta l4proto . th dport vmap {{ {} }}", list(doors, door))
            }
            Action::ByTarget(targets) => {
                let target = |(address, chain): &(Ipv4Addr, String)| format!("{address} : goto {chain}");
                write!(f, "ip daddr vmap {{ {} }}", list(targets, target))
            }
            Action::Spread(targets) => {
                let numbered: Vec<_> = targets.iter().enumerate().collect();
                let target = |(turn, (address, port)): &(usize, &(Ipv4Addr, u16))| {
                    format!("{turn} : {address} . {port}")
                };
                let count = targets.len();
                write!(f, "dnat ip to numgen inc mod {count} map {{ {} }}", list(&numbered, target))
            }
            Action::SpreadKeepingPort(targets) => {
                let numbered: Vec<_> = targets.iter().enumerate().collect();
                let target = |(turn, address): &(usize, &Ipv4Addr)| format!("{turn} : {address}");
                write!(f, "dnat to numgen inc mod {} map {{ {} }}", targets.len(), list(&numbered, target))
            }
        }
    }
}

fn list<T>(items: &[T], print: impl Fn(&T) -> String) -> String {
    items.iter().map(print).collect::<Vec<_>>().join(", ")
}
