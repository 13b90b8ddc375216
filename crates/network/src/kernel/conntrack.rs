//! Flows the kernel remembers.
//!
//! In: the address of somebody who has gone. Out: the kernel knows no flow to it any more, so that the next packet
//! of such a flow is judged anew. It changes no rule.

use std::io;
use std::net::Ipv4Addr;

use super::message::Batch;
use super::netlink::Netlink;

/// Forgets all flows that a given address answers.
pub(crate) fn forget(netfilter: &mut Netlink, address: Ipv4Addr) -> io::Result<()> {
    let mut batch = Batch::default();
    batch
        .begin(DELETE, libc::NLM_F_ACK as u16)
        .header(&[libc::AF_INET as u8, 0, 0, 0])
        .nest(CTA_TUPLE_REPLY, |tuple| {
            tuple.nest(CTA_TUPLE_IP, |ip| {
                ip.attribute(CTA_IP_V4_SRC, &address.octets());
            });
        })
        .nest(CTA_FILTER, |filter| {
            filter.number(CTA_FILTER_ORIG_FLAGS, 0).number(CTA_FILTER_REPLY_FLAGS, CTA_FILTER_F_IP_SRC);
        });
    netfilter.perform(batch)
}

const DELETE: u16 = 1 << 8 | 2;
const CTA_TUPLE_REPLY: u16 = 2;
const CTA_FILTER: u16 = 25;
const CTA_TUPLE_IP: u16 = 1;
const CTA_IP_V4_SRC: u16 = 1;
const CTA_FILTER_ORIG_FLAGS: u16 = 1;
const CTA_FILTER_REPLY_FLAGS: u16 = 2;
const CTA_FILTER_F_IP_SRC: u32 = 1;
