//! Puts a whole table of packet rules in the place of the one that is there, in one step.
//!
//! In: a ruleset. Out: done, or the kernel's refusal, which changes nothing. It reads no rules back: a table of ours is only
//! ever replaced. The rules go to the kernel as messages, since a call of `nft` for every task that comes or goes would
//! cost more than the rest of the task's network.

use std::io;

use super::expression;
use super::message::Batch;
use super::netlink::Netlink;
use crate::plan::Ruleset;
use crate::plan::ruleset::{Chain, Hook, Rule};

/// Replaces the table. Packets see the old rules or the new ones, never none.
pub(crate) fn load(netfilter: &mut Netlink, ruleset: &Ruleset) -> io::Result<()> {
    let Ruleset { table, chains } = ruleset;
    let mut draft = Draft::new(table);
    draft.clear();
    draft.message(NEW_TABLE, CREATE).text(TABLE_NAME, table);
    // All chains first, since rules and maps name them.
    chains.iter().for_each(|chain| draft.chain(chain));
    for chain in chains {
        chain.rules.iter().for_each(|rule| draft.rule(&chain.name, rule));
    }
    draft.commit(netfilter)
}

/// Removes a table. It need not be there.
pub(crate) fn remove(netfilter: &mut Netlink, table: &str) -> io::Result<()> {
    let mut draft = Draft::new(table);
    draft.clear();
    draft.commit(netfilter)
}

/// True if a table has a chain of this name.
pub(crate) fn has_chain(netfilter: &mut Netlink, table: &str, chain: &str) -> io::Result<bool> {
    let mut question = Batch::default();
    question
        .begin(SUBSYSTEM << 8 | GET_CHAIN, libc::NLM_F_ACK as u16)
        .header(&IPV4)
        .text(CHAIN_TABLE, table)
        .text(CHAIN_NAME, chain);
    match netfilter.ask(question, |_, _| {}) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        answer => answer.map(|()| true),
    }
}

/// A change of one table in the making.
struct Draft<'a> {
    table: &'a str,
    batch: Batch,
    maps: u32,
}

impl<'a> Draft<'a> {
    fn new(table: &'a str) -> Self {
        let mut batch = Batch::default();
        batch.begin(BATCH_BEGIN, 0).header(&FOR_RULES);
        Self { table, batch, maps: 0 }
    }

    /// Removes the table. Making it first makes that valid although it may not be there.
    fn clear(&mut self) {
        let table = self.table;
        self.message(NEW_TABLE, CREATE).text(TABLE_NAME, table);
        self.message(DELETE_TABLE, 0).text(TABLE_NAME, table);
    }

    fn chain(&mut self, chain: &Chain) {
        let Chain { name, hook, rules: _ } = chain;
        let table = self.table;
        let message = self.message(NEW_CHAIN, CREATE).text(CHAIN_TABLE, table).text(CHAIN_NAME, name);
        if let Some(hook) = hook {
            let (kind, _, priority) = hook.words();
            message
                .nest(CHAIN_HOOK, |entry| {
                    entry.big_endian(HOOK_NUMBER, place(*hook)).big_endian(HOOK_PRIORITY, priority as u32);
                })
                .text(CHAIN_TYPE, kind);
        }
    }

    fn rule(&mut self, chain: &str, rule: &Rule) {
        let map = expression::map(rule);
        if let Some(map) = &map {
            self.map(map);
        }
        let (table, number) = (self.table, self.maps);
        self.message(NEW_RULE, CREATE | APPEND)
            .text(RULE_TABLE, table)
            .text(RULE_CHAIN, chain)
            .nest(RULE_EXPRESSIONS, |list| expression::encode(list, rule, number));
    }

    /// A map without a name, which belongs to the rule that comes next and goes with it.
    fn map(&mut self, map: &expression::Map) {
        self.maps += 1;
        let (table, number) = (self.table, self.maps);
        self.message(NEW_SET, CREATE)
            .text(SET_TABLE, table)
            .text(SET_NAME, ANY_MAP)
            .big_endian(SET_FLAGS, ANONYMOUS | CONSTANT | IS_MAP)
            .big_endian(SET_KEY_TYPE, map.key_type)
            .big_endian(SET_KEY_LENGTH, map.key_length)
            .big_endian(SET_DATA_TYPE, map.data_type)
            .big_endian(SET_DATA_LENGTH, map.data_length)
            .big_endian(SET_ID, number)
            .attribute(SET_USER_DATA, map.byte_order())
            .nest(SET_DESCRIPTION, |description| {
                description.big_endian(SET_SIZE, map.elements.len() as u32);
            });
        // An attribute has at most 64 KiB, so a long map comes in several messages.
        for elements in map.elements.chunks(ELEMENTS_MAX) {
            self.message(NEW_ELEMENTS, CREATE)
                .text(ELEMENTS_TABLE, table)
                .text(ELEMENTS_SET, ANY_MAP)
                .big_endian(ELEMENTS_SET_ID, number)
                .nest(ELEMENTS_LIST, |list| elements.iter().for_each(|element| element.encode(list)));
        }
    }

    fn message(&mut self, kind: u16, flags: u16) -> &mut Batch {
        self.batch.begin(SUBSYSTEM << 8 | kind, flags).header(&IPV4)
    }

    fn commit(mut self, netfilter: &mut Netlink) -> io::Result<()> {
        let last = self.batch.ask_for_answer();
        self.batch.begin(BATCH_END, 0).header(&FOR_RULES);
        netfilter.commit(self.batch, last)
    }
}

/// The kernel's number of a hook.
fn place(hook: Hook) -> u32 {
    match hook {
        Hook::Guard | Hook::Arriving => libc::NF_INET_PRE_ROUTING as u32,
        Hook::Entering => libc::NF_INET_LOCAL_IN as u32,
        Hook::Passing => libc::NF_INET_FORWARD as u32,
        Hook::Departing => libc::NF_INET_LOCAL_OUT as u32,
        Hook::Leaving => libc::NF_INET_POST_ROUTING as u32,
    }
}

/// The kernel completes it to a name of its own.
pub(super) const ANY_MAP: &str = "__map%d";
const ELEMENTS_MAX: usize = 500;

const SUBSYSTEM: u16 = libc::NFNL_SUBSYS_NFTABLES as u16;
const BATCH_BEGIN: u16 = 16;
const BATCH_END: u16 = 17;
/// Family, version, and for a batch the subsystem it is for, the high byte first.
const FOR_RULES: [u8; 4] = [libc::AF_UNSPEC as u8, 0, 0, SUBSYSTEM as u8];
const IPV4: [u8; 4] = [libc::AF_INET as u8, 0, 0, 0];

const CREATE: u16 = libc::NLM_F_CREATE as u16;
const APPEND: u16 = libc::NLM_F_APPEND as u16;
const NEW_TABLE: u16 = 0;
const DELETE_TABLE: u16 = 2;
const NEW_CHAIN: u16 = 3;
const GET_CHAIN: u16 = 4;
const NEW_RULE: u16 = 6;
const NEW_SET: u16 = 9;
const NEW_ELEMENTS: u16 = 12;

const TABLE_NAME: u16 = 1;
const CHAIN_TABLE: u16 = 1;
const CHAIN_NAME: u16 = 3;
const CHAIN_HOOK: u16 = 4;
const CHAIN_TYPE: u16 = 7;
const HOOK_NUMBER: u16 = 1;
const HOOK_PRIORITY: u16 = 2;
const RULE_TABLE: u16 = 1;
const RULE_CHAIN: u16 = 2;
const RULE_EXPRESSIONS: u16 = 4;
const SET_TABLE: u16 = 1;
const SET_NAME: u16 = 2;
const SET_FLAGS: u16 = 3;
const SET_KEY_TYPE: u16 = 4;
const SET_KEY_LENGTH: u16 = 5;
const SET_DATA_TYPE: u16 = 6;
const SET_DATA_LENGTH: u16 = 7;
const SET_DESCRIPTION: u16 = 9;
const SET_SIZE: u16 = 1;
const SET_ID: u16 = 10;
const SET_USER_DATA: u16 = 13;
const ANONYMOUS: u32 = 1;
const CONSTANT: u32 = 2;
const IS_MAP: u32 = 8;
const ELEMENTS_TABLE: u16 = 1;
const ELEMENTS_SET: u16 = 2;
const ELEMENTS_LIST: u16 = 3;
const ELEMENTS_SET_ID: u16 = 4;

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::kernel::netlink::Part;
    use crate::plan::tests::{three_services, wanted};

    fn shell(line: &str) -> String {
        let output = Command::new("sh").args(["-c", line]).output().unwrap();
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// The lines, each with its words in order: the lines of a map have none of their own.
    fn sorted(listing: &str) -> Vec<Vec<&str>> {
        let words = |line| {
            let mut words: Vec<_> =
                str::split_whitespace(line).map(|word| word.trim_end_matches(',')).collect();
            words.sort_unstable();
            words
        };
        listing.lines().map(words).collect()
    }

    #[test]
    #[ignore = "needs root"]
    fn the_kernel_understands_the_same_as_from_nft_itself() {
        let compare = || {
            nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).unwrap();
            let ruleset = wanted(&three_services()).ruleset;
            let mut netfilter = Netlink::open(Part::Netfilter).unwrap();
            // Twice, since the second time there is something to replace.
            load(&mut netfilter, &ruleset).unwrap();
            load(&mut netfilter, &ruleset).unwrap();
            let ours = shell("nft list table ip skep");
            remove(&mut netfilter, "skep").unwrap();
            shell("nft -f src/plan/golden/three_services.nft");
            (ours, shell("nft list table ip skep"))
        };
        let (ours, theirs) = std::thread::spawn(compare).join().unwrap();
        assert_eq!(sorted(&ours), sorted(&theirs));
    }

    #[test]
    #[ignore = "needs root"]
    fn a_refused_batch_says_why() {
        let refused = || {
            nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).unwrap();
            let mut ruleset = wanted(&three_services()).ruleset;
            ruleset.chains.retain(|chain| chain.name != "tcp_8080");
            let mut netfilter = Netlink::open(Part::Netfilter).unwrap();
            load(&mut netfilter, &ruleset).unwrap_err().kind()
        };
        assert_eq!(std::thread::spawn(refused).join().unwrap(), io::ErrorKind::NotFound);
    }
}
