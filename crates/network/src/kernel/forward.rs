//! Makes room in another firewall of this host that drops what passes through.
//!
//! In: the bridge. Out: two rules that let its packets pass, in Docker's chain for the users' own rules where there is one,
//! else at the head of the chain for forwarded packets; nothing if that chain lets packets pass anyway. An accept of ours
//! cannot overrule a drop of theirs, so the rules must stand in their table.

use std::fs;
use std::io;
use std::process::{Command, Stdio};

use super::netlink::{Netlink, Part};
use super::nft;

/// Lets the bridge's packets pass. Does nothing where nobody stops them.
pub(crate) fn open(bridge: &str) -> io::Result<()> {
    for tables in present()? {
        let Some(chain) = tables.chain_to_open()? else { continue };
        for direction in ["-i", "-o"] {
            let rule = [chain, direction, bridge, "-j", "ACCEPT"];
            if !tables.succeeds("-C", &rule)? {
                tables.succeeds("-I", &rule)?;
            }
        }
    }
    Ok(())
}

/// Takes the rules back, wherever they stand.
pub(crate) fn shut(bridge: &str) -> io::Result<()> {
    for tables in present()? {
        for chain in [USERS, ALL] {
            for direction in ["-i", "-o"] {
                while tables.succeeds("-D", &[chain, direction, bridge, "-j", "ACCEPT"])? {}
            }
        }
    }
    Ok(())
}

/// One of the two kernels' tables that `iptables` may mean.
#[derive(Clone, Copy)]
struct Tables(&'static str);

impl Tables {
    /// The chain in which a rule of ours is needed and heard.
    fn chain_to_open(self) -> io::Result<Option<&'static str>> {
        let rules = Command::new(self.0).args(["-w", "-S", ALL]).stderr(Stdio::null()).output()?;
        let rules = String::from_utf8_lossy(&rules.stdout);
        let asks_users = rules.lines().any(|rule| rule.ends_with("-j DOCKER-USER"));
        let drops = rules.lines().any(|rule| rule == "-P FORWARD DROP");
        Ok(if asks_users { Some(USERS) } else { drops.then_some(ALL) })
    }

    fn succeeds(self, verb: &str, rule: &[&str]) -> io::Result<bool> {
        let mut command = Command::new(self.0);
        let quiet = command.args(["-w", verb]).args(rule).stdout(Stdio::null()).stderr(Stdio::null());
        Ok(quiet.status()?.success())
    }
}

/// The tables that exist. Asking `iptables` about tables that do not exist might make them, so the kernel is asked first.
fn present() -> io::Result<Vec<Tables>> {
    let legacy = fs::read_to_string("/proc/net/ip_tables_names");
    let legacy = legacy.is_ok_and(|names| names.lines().any(|name| name == FILTER));
    let new = nft::has_chain(&mut Netlink::open(Part::Netfilter)?, FILTER, ALL)?;
    let found = [(legacy, Tables("iptables-legacy")), (new, Tables("iptables-nft"))];
    Ok(found.into_iter().filter_map(|(there, tables)| there.then_some(tables)).collect())
}

/// The table of verdicts.
const FILTER: &str = "filter";
/// The chain of forwarded packets.
const ALL: &str = "FORWARD";
/// The chain that Docker asks first and never changes.
const USERS: &str = "DOCKER-USER";
