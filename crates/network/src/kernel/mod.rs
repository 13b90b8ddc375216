//! The kernel's side: performs what it is told and knows no reasons.
//!
//! In: names, addresses, rules. Out: done, or the kernel's refusal. Everything blocks and is called by the one thread that
//! owns the network.

pub(crate) mod conntrack;
mod expression;
pub(crate) mod forward;
pub(crate) mod link;
mod message;
pub(crate) mod netlink;
pub(crate) mod netns;
pub(crate) mod news;
pub(crate) mod nft;
pub(crate) mod sysctl;
