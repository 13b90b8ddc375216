//! The addresses of one subnet: which are given, and which is next.
//!
//! In: a subnet, and addresses that were found in use. Out: addresses nobody has. It keeps nothing on disk: what is in use
//! is found again in the namespaces themselves.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use crate::subnet::Subnet;

/// The addresses of one subnet.
pub(crate) struct Pool {
    subnet: Subnet,
    given: BTreeSet<Ipv4Addr>,
    last: u32,
}

impl Pool {
    /// All of the subnet but its gateway.
    pub(crate) fn new(subnet: Subnet) -> Self {
        Self { subnet, given: BTreeSet::from([subnet.gateway()]), last: 1 }
    }

    /// Gives the next address after the last one given, so that a freed one rests as long as possible: neighbours may
    /// still remember who had it. None if all are given.
    pub(crate) fn give(&mut self) -> Option<Ipv4Addr> {
        let room = !u32::from(self.subnet.base()) & u32::from(self.subnet.broadcast());
        let turns = (1..=room).map(|step| 1 + (self.last - 1 + step) % room);
        let free =
            |offset: &u32| self.subnet.host(*offset).is_some_and(|address| !self.given.contains(&address));
        let offset = turns.into_iter().find(free)?;
        let address = self.subnet.host(offset)?;
        self.last = offset;
        self.given.insert(address);
        Some(address)
    }

    /// Notes an address that somebody has.
    pub(crate) fn note(&mut self, address: Ipv4Addr) {
        self.given.insert(address);
        let offset = u32::from(address).wrapping_sub(u32::from(self.subnet.base()));
        if self.subnet.host(offset).is_some() {
            self.last = self.last.max(offset);
        }
    }

    /// Takes an address back.
    pub(crate) fn take_back(&mut self, address: Ipv4Addr) {
        if address != self.subnet.gateway() {
            self.given.remove(&address);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small() -> Pool {
        Pool::new("10.0.0.0/29".parse().expect("a subnet"))
    }

    fn last_octet(address: Option<Ipv4Addr>) -> Option<u8> {
        address.map(|address| address.octets()[3])
    }

    #[test]
    fn addresses_go_round_and_run_out() {
        let mut pool = small();
        let given: Vec<_> = (0..6).map(|_| last_octet(pool.give())).collect();
        assert_eq!(given, [Some(2), Some(3), Some(4), Some(5), Some(6), None]);
        pool.take_back(Ipv4Addr::new(10, 0, 0, 3));
        assert_eq!(last_octet(pool.give()), Some(3));
    }

    #[test]
    fn a_freed_address_rests() {
        let mut pool = small();
        let first = pool.give().unwrap();
        pool.take_back(first);
        assert_eq!(last_octet(pool.give()), Some(3));
    }

    #[test]
    fn the_gateway_is_never_given_back() {
        let mut pool = small();
        pool.take_back(Ipv4Addr::new(10, 0, 0, 1));
        assert!((0..6).all(|_| last_octet(pool.give()) != Some(1)));
    }

    #[test]
    fn noted_addresses_are_passed_over() {
        let mut pool = small();
        pool.note(Ipv4Addr::new(10, 0, 0, 2));
        pool.note(Ipv4Addr::new(192, 168, 0, 1));
        assert_eq!(last_octet(pool.give()), Some(3));
    }
}
