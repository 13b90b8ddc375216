//! A range of IPv4 addresses, such as `172.17.0.0/16`.
//!
//! In: texts and addresses. Out: which address belongs to it, and which ones may be given. It knows no interface.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A range of IPv4 addresses: the address of the network and how many of its bits are fixed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Subnet {
    base: u32,
    prefix: u8,
}

/// Why a text is no subnet.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a subnet looks like 172.17.0.0/16, with 8 to 30 fixed bits and nothing after them, not \"{0}\"")]
pub struct NotASubnet(pub String);

impl Subnet {
    /// The subnet in which an address lies. None unless 8 to 30 bits are fixed: fewer would swallow the internet,
    /// more leave no room for a gateway and a guest.
    pub fn around(address: Ipv4Addr, prefix: u8) -> Option<Self> {
        (8..=30).contains(&prefix).then(|| Self { base: u32::from(address) & mask(prefix), prefix })
    }

    /// The lowest address, which names the network.
    pub fn base(self) -> Ipv4Addr {
        self.base.into()
    }

    /// How many bits are fixed.
    pub fn prefix(self) -> u8 {
        self.prefix
    }

    /// The address of the way out: the first one that may be given.
    pub fn gateway(self) -> Ipv4Addr {
        (self.base + 1).into()
    }

    /// The highest address, which means everybody.
    pub fn broadcast(self) -> Ipv4Addr {
        (self.base | !mask(self.prefix)).into()
    }

    /// The fixed bits.
    pub fn mask(self) -> Ipv4Addr {
        mask(self.prefix).into()
    }

    /// True if the address lies in it.
    pub fn contains(self, address: Ipv4Addr) -> bool {
        u32::from(address) & mask(self.prefix) == self.base
    }

    /// True if the two have an address in common.
    pub fn overlaps(self, other: Self) -> bool {
        self.contains(other.base()) || other.contains(self.base())
    }

    /// The address `offset` places after the base. None if it is the base, the broadcast, or beyond.
    pub fn host(self, offset: u32) -> Option<Ipv4Addr> {
        let last = !mask(self.prefix);
        (1..last).contains(&offset).then(|| (self.base + offset).into())
    }
}

fn mask(prefix: u8) -> u32 {
    u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0)
}

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.base(), self.prefix)
    }
}

impl FromStr for Subnet {
    type Err = NotASubnet;

    fn from_str(text: &str) -> Result<Self, NotASubnet> {
        let malformed = || NotASubnet(text.to_owned());
        let (address, prefix) = text.split_once('/').ok_or_else(malformed)?;
        let address: Ipv4Addr = address.parse().map_err(|_| malformed())?;
        let prefix = prefix.parse().map_err(|_| malformed())?;
        Self::around(address, prefix).filter(|subnet| subnet.base() == address).ok_or_else(malformed)
    }
}

impl TryFrom<String> for Subnet {
    type Error = NotASubnet;

    fn try_from(text: String) -> Result<Self, NotASubnet> {
        text.parse()
    }
}

impl From<Subnet> for String {
    fn from(subnet: Subnet) -> Self {
        subnet.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subnet_knows_its_ends() {
        let subnet: Subnet = "172.17.0.0/16".parse().unwrap();
        let [gateway, broadcast] = [subnet.gateway(), subnet.broadcast()].map(|address| address.to_string());
        assert_eq!((gateway.as_str(), broadcast.as_str()), ("172.17.0.1", "172.17.255.255"));
        assert_eq!(subnet.to_string(), "172.17.0.0/16");
        assert_eq!(subnet.host(2), Some(Ipv4Addr::new(172, 17, 0, 2)));
        assert_eq!(subnet.host(65_534), Some(Ipv4Addr::new(172, 17, 255, 254)));
        assert_eq!(subnet.host(0), None);
        assert_eq!(subnet.host(65_535), None);
    }

    #[test]
    fn subnets_overlap_if_one_holds_the_other() {
        let [wide, narrow, apart] =
            ["172.16.0.0/12", "172.17.0.0/16", "10.0.0.0/8"].map(|text| text.parse::<Subnet>().unwrap());
        assert!(wide.overlaps(narrow) && narrow.overlaps(wide));
        assert!(!wide.overlaps(apart) && !apart.overlaps(narrow));
    }

    #[test]
    fn other_texts_are_refused() {
        for text in ["", "172.17.0.0", "172.17.0.1/16", "172.17.0.0/31", "0.0.0.0/0", "a/16", "1.2.3.0/-1"] {
            assert!(text.parse::<Subnet>().is_err(), "{text}");
        }
    }
}
