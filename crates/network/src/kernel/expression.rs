//! A rule in the kernel's own terms: a list of small steps over registers.
//!
//! In: rules. Out: the attributes that say the same to the kernel, and the map a rule looks things up in. Whoever doubts a
//! step asks `nft --debug=netlink` for the same rule.

use std::net::Ipv4Addr;

use super::message::Batch;
use super::nft::ANY_MAP;
use crate::plan::ruleset::{Action, Match, Rule};
use crate::sandbox::Protocol;
use crate::subnet::Subnet;

/// What a rule looks things up in.
pub(super) struct Map {
    pub(super) key_type: u32,
    pub(super) key_length: u32,
    pub(super) data_type: u32,
    pub(super) data_length: u32,
    pub(super) elements: Vec<Element>,
}

impl Map {
    /// A note for `nft`, so that it prints the keys as they are meant; the kernel does not read it.
    pub(super) fn byte_order(&self) -> &'static [u8] {
        // Kind, length, and the order: 1 is the machine's, 2 the wire's.
        if self.key_type == INTEGER { &[0, 4, 1, 0, 0, 0] } else { &[0, 4, 2, 0, 0, 0] }
    }
}

/// One line of a map.
pub(super) struct Element {
    key: Vec<u8>,
    data: Data,
}

/// What a line of a map holds.
enum Data {
    Value(Vec<u8>),
    Goto(String),
}

impl Element {
    pub(super) fn encode(&self, list: &mut Batch) {
        list.nest(LIST_ELEMENT, |element| {
            value(element, ELEMENT_KEY, &self.key);
            match &self.data {
                Data::Value(bytes) => value(element, ELEMENT_DATA, bytes),
                Data::Goto(chain) => verdict(element, ELEMENT_DATA, (GOTO, Some(chain))),
            }
        });
    }
}

/// The map a rule needs, if it needs one.
pub(super) fn map(rule: &Rule) -> Option<Map> {
    match &rule.then {
        Action::ByPort(doors) => {
            let element = |((protocol, port), chain): &((Protocol, u16), String)| Element {
                key: [word(&[number(*protocol)]), word(&port.to_be_bytes())].concat(),
                data: Data::Goto(chain.clone()),
            };
            Some(Map {
                key_type: INET_PROTO << 6 | INET_SERVICE,
                key_length: 8,
                ..verdicts(doors.iter().map(element).collect())
            })
        }
        Action::ByTarget(targets) => {
            let element = |(address, chain): &(Ipv4Addr, String)| Element {
                key: address.octets().to_vec(),
                data: Data::Goto(chain.clone()),
            };
            Some(Map { key_type: IPV4_ADDR, ..verdicts(targets.iter().map(element).collect()) })
        }
        Action::Spread(targets) => {
            let value = |(address, port): &(Ipv4Addr, u16)| {
                [word(&address.octets()), word(&port.to_be_bytes())].concat()
            };
            let map = turns(targets.iter().map(value));
            Some(Map { data_type: IPV4_ADDR << 6 | INET_SERVICE, data_length: 8, ..map })
        }
        Action::SpreadKeepingPort(targets) => {
            let map = turns(targets.iter().map(|address| address.octets().to_vec()));
            Some(Map { data_type: IPV4_ADDR, data_length: 4, ..map })
        }
        Action::Drop | Action::Reject | Action::Masquerade | Action::Goto(_) => None,
    }
}

/// The steps of a rule, whose map has this number.
pub(super) fn encode(list: &mut Batch, rule: &Rule, map: u32) {
    rule.when.iter().for_each(|condition| test(list, condition));
    act(list, &rule.then, map);
}

fn verdicts(elements: Vec<Element>) -> Map {
    Map { key_type: IPV4_ADDR, key_length: 4, data_type: VERDICT, data_length: 0, elements }
}

/// A map from a turn to whose turn it is. Turns are numbers of the machine, not of the wire.
fn turns(values: impl Iterator<Item = Vec<u8>>) -> Map {
    let element = |(turn, value): (u32, Vec<u8>)| Element {
        key: turn.to_ne_bytes().to_vec(),
        data: Data::Value(value),
    };
    let elements = (0..).zip(values).map(element).collect();
    Map { key_type: INTEGER, key_length: 4, data_type: IPV4_ADDR, data_length: 4, elements }
}

fn test(list: &mut Batch, condition: &Match) {
    match condition {
        Match::From(name) => {
            meta(list, META_FROM, REGISTER);
            compare(list, EQUAL, &interface(name));
        }
        Match::Through(name) => {
            meta(list, META_THROUGH, REGISTER);
            compare(list, EQUAL, &interface(name));
        }
        Match::NotThrough(name) => {
            meta(list, META_THROUGH, REGISTER);
            compare(list, NOT_EQUAL, &interface(name));
        }
        Match::Source(subnet) => within(list, IP_SOURCE, *subnet),
        Match::Target(subnet) => within(list, IP_TARGET, *subnet),
        Match::For(address) => {
            payload(list, IP_TARGET, REGISTER);
            compare(list, EQUAL, &address.octets());
        }
        Match::ForThisHost => {
            step(list, "fib", |fib| {
                fib.big_endian(1, REGISTER).big_endian(2, FIB_TYPE).big_endian(3, FIB_OF_TARGET);
            });
            compare(list, EQUAL, &u32::from(libc::RTN_LOCAL).to_ne_bytes());
        }
        Match::Port(protocol, port) => {
            meta(list, META_PROTOCOL, REGISTER);
            compare(list, EQUAL, &[number(*protocol)]);
            payload(list, TARGET_PORT, REGISTER);
            compare(list, EQUAL, &port.to_be_bytes());
        }
        Match::Redirected => {
            step(list, "ct", |ct| {
                ct.big_endian(1, REGISTER).big_endian(2, CT_STATUS);
            });
            mask(list, &IPS_DST_NAT.to_ne_bytes());
            compare(list, NOT_EQUAL, &[0; 4]);
        }
    }
}

fn act(list: &mut Batch, action: &Action, map: u32) {
    match action {
        Action::Drop => decide(list, DROP, None),
        Action::Goto(chain) => decide(list, GOTO, Some(chain)),
        Action::Reject => step(list, "reject", |reject| {
            reject.big_endian(1, ICMP_UNREACHABLE).attribute(2, &[PORT_UNREACHABLE]);
        }),
        Action::Masquerade => step(list, "masq", |_| {}),
        Action::ByPort(_) => {
            meta(list, META_PROTOCOL, REGISTER);
            payload(list, TARGET_PORT, SECOND_WORD);
            look_up(list, map, VERDICT_REGISTER);
        }
        Action::ByTarget(_) => {
            payload(list, IP_TARGET, REGISTER);
            look_up(list, map, VERDICT_REGISTER);
        }
        Action::Spread(targets) => {
            take_turns(list, targets.len(), map);
            step(list, "nat", |nat| {
                redirect(nat).big_endian(5, SECOND_WORD);
            });
        }
        Action::SpreadKeepingPort(targets) => {
            take_turns(list, targets.len(), map);
            step(list, "nat", |nat| {
                redirect(nat);
            });
        }
    }
}

fn take_turns(list: &mut Batch, count: usize, map: u32) {
    step(list, "numgen", |turn| {
        let count = u32::try_from(count).expect("there are fewer containers than numbers");
        turn.big_endian(1, REGISTER).big_endian(2, count).big_endian(3, ONE_AFTER_THE_OTHER).big_endian(4, 0);
    });
    look_up(list, map, REGISTER);
}

fn redirect(nat: &mut Batch) -> &mut Batch {
    nat.big_endian(1, NAT_TARGET).big_endian(2, libc::AF_INET as u32).big_endian(3, REGISTER)
}

fn meta(list: &mut Batch, key: u32, register: u32) {
    step(list, "meta", |meta| {
        meta.big_endian(1, register).big_endian(2, key);
    });
}

/// Where in a packet something stands: in which header, how far from its beginning, how long it is.
type Place = (u32, u32, u32);

fn payload(list: &mut Batch, (header, offset, length): Place, register: u32) {
    step(list, "payload", |load| {
        load.big_endian(1, register).big_endian(2, header).big_endian(3, offset).big_endian(4, length);
    });
}

fn within(list: &mut Batch, place: Place, subnet: Subnet) {
    payload(list, place, REGISTER);
    mask(list, &subnet.mask().octets());
    compare(list, EQUAL, &subnet.base().octets());
}

fn mask(list: &mut Batch, bits: &[u8; 4]) {
    step(list, "bitwise", |bitwise| {
        bitwise.big_endian(1, REGISTER).big_endian(2, REGISTER).big_endian(3, 4);
        value(bitwise, 4, bits);
        value(bitwise, 5, &[0; 4]);
    });
}

fn compare(list: &mut Batch, how: u32, with: &[u8]) {
    step(list, "cmp", |compare| {
        compare.big_endian(1, REGISTER).big_endian(2, how);
        value(compare, 3, with);
    });
}

fn look_up(list: &mut Batch, map: u32, into: u32) {
    step(list, "lookup", |lookup| {
        lookup.text(1, ANY_MAP).big_endian(2, REGISTER).big_endian(3, into).big_endian(4, map);
    });
}

fn decide(list: &mut Batch, code: i32, chain: Option<&String>) {
    step(list, "immediate", |immediate| {
        verdict(immediate.big_endian(1, VERDICT_REGISTER), 2, (code, chain));
    });
}

fn verdict(holder: &mut Batch, kind: u16, (code, chain): (i32, Option<&String>)) {
    let fill = |verdict: &mut Batch| {
        verdict.big_endian(1, code as u32);
        if let Some(chain) = chain {
            verdict.text(2, chain);
        }
    };
    holder.nest(kind, |data| {
        data.nest(DATA_VERDICT, fill);
    });
}

fn value(holder: &mut Batch, kind: u16, bytes: &[u8]) {
    holder.nest(kind, |data| {
        data.attribute(DATA_VALUE, bytes);
    });
}

fn step(list: &mut Batch, name: &str, fill: impl FnOnce(&mut Batch)) {
    list.nest(LIST_ELEMENT, |element| {
        element.text(1, name).nest(2, fill);
    });
}

fn number(protocol: Protocol) -> u8 {
    let number = match protocol {
        Protocol::Tcp => libc::IPPROTO_TCP,
        Protocol::Udp => libc::IPPROTO_UDP,
        Protocol::Sctp => libc::IPPROTO_SCTP,
    };
    number as u8
}

/// Registers are filled in words of four bytes.
fn word(bytes: &[u8]) -> Vec<u8> {
    let mut word = bytes.to_vec();
    word.resize(4, 0);
    word
}

/// Interfaces are compared over the whole length a name may have.
fn interface(name: &str) -> Vec<u8> {
    let mut bytes = name.as_bytes().to_vec();
    bytes.resize(libc::IFNAMSIZ, 0);
    bytes
}

const LIST_ELEMENT: u16 = 1;
const ELEMENT_KEY: u16 = 1;
const ELEMENT_DATA: u16 = 2;
const DATA_VALUE: u16 = 1;
const DATA_VERDICT: u16 = 2;

/// Where verdicts go.
const VERDICT_REGISTER: u32 = 0;
/// The one register of sixteen bytes that is used.
const REGISTER: u32 = 1;
/// Its second word.
const SECOND_WORD: u32 = 9;

const DROP: i32 = libc::NF_DROP;
const GOTO: i32 = -4;
const EQUAL: u32 = 0;
const NOT_EQUAL: u32 = 1;
const META_FROM: u32 = 6;
const META_THROUGH: u32 = 7;
const META_PROTOCOL: u32 = 16;
const CT_STATUS: u32 = 2;
const IPS_DST_NAT: u32 = 1 << 5;
const FIB_TYPE: u32 = 3;
const FIB_OF_TARGET: u32 = 2;
const ONE_AFTER_THE_OTHER: u32 = 0;
const NAT_TARGET: u32 = 1;
const ICMP_UNREACHABLE: u32 = 0;
const PORT_UNREACHABLE: u8 = 3;
const IP_SOURCE: Place = (1, 12, 4);
const IP_TARGET: Place = (1, 16, 4);
const TARGET_PORT: Place = (2, 2, 2);

/// The types of keys and values, as `nft` numbers them to print them.
const INTEGER: u32 = 4;
const IPV4_ADDR: u32 = 7;
const INET_PROTO: u32 = 12;
const INET_SERVICE: u32 = 13;
const VERDICT: u32 = 0xffff_ff00;
