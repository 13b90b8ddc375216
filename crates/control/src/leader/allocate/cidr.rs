//! Subnets as numbers: the grammar `10.0.1.0/24`, and what lies within.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// An address and how many of its leading bits name its subnet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Cidr {
    /// The address.
    pub(super) address: IpAddr,
    /// The number of leading bits.
    pub(super) prefix: u8,
}

/// A text that is no subnet.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a subnet")]
pub(super) struct NotACidr(String);

impl FromStr for Cidr {
    type Err = NotACidr;

    fn from_str(text: &str) -> Result<Self, NotACidr> {
        let parsed = text.split_once('/').and_then(|(address, prefix)| {
            let address: IpAddr = address.parse().ok()?;
            let prefix: u8 = prefix.parse().ok()?;
            (prefix <= width(address)).then_some(Self { address, prefix })
        });
        parsed.ok_or_else(|| NotACidr(text.to_owned()))
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl Cidr {
    /// The lowest address of the subnet.
    pub(super) fn first(self) -> IpAddr {
        address(self.address, number(self.address) & !self.host_bits())
    }

    /// The highest address of the subnet.
    pub(super) fn last(self) -> IpAddr {
        address(self.address, number(self.address) | self.host_bits())
    }

    /// The lowest address that a host can have: the subnet's own name is left out.
    pub(super) fn first_host(self) -> IpAddr {
        if self.is_tiny() { self.first() } else { step(self.first()) }
    }

    /// The highest address that a host can have: in IPv4, the one that means all is left out.
    pub(super) fn last_host(self) -> IpAddr {
        let last = self.last();
        if self.is_tiny() || last.is_ipv6() { last } else { address(last, number(last) - 1) }
    }

    /// True if the address lies within.
    pub(super) fn contains(self, other: IpAddr) -> bool {
        other.is_ipv4() == self.address.is_ipv4() && (self.first()..=self.last()).contains(&other)
    }

    fn is_tiny(self) -> bool {
        width(self.address) - self.prefix < 2
    }

    fn host_bits(self) -> u128 {
        let bits = u32::from(width(self.address) - self.prefix);
        1_u128.checked_shl(bits).map_or(u128::MAX, |end| end - 1)
    }
}

/// The next address.
pub(super) fn step(from: IpAddr) -> IpAddr {
    address(from, number(from).wrapping_add(1))
}

/// The address as a number.
pub(super) fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(u32::from(v4)),
        IpAddr::V6(v6) => u128::from(v6),
    }
}

/// The number as an address of the same family as `like`.
pub(super) fn address(like: IpAddr, number: u128) -> IpAddr {
    match like {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::from(number as u32)),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::from(number)),
    }
}

fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}
