//! Flows the kernel remembers.
//!
//! In: the address of somebody who has gone. Out: the kernel knows no flow to it any more, so that the next packet
//! of such a flow is judged anew. It changes no rule.
//!
//! Only new kernels can be told to forget what a filter finds. Others (Debian 12's) refuse; then the flows are asked for
//! and forgotten one by one, which takes longer.

use std::io;
use std::net::Ipv4Addr;

use super::message::{Batch, attributes};
use super::netlink::Netlink;

/// Forgets all flows that a given address answers.
pub(crate) fn forget(netfilter: &mut Netlink, address: Ipv4Addr) -> io::Result<()> {
    let mut batch = Batch::default();
    select(batch.begin(DELETE, libc::NLM_F_ACK as u16), address);
    match netfilter.perform(batch) {
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => forget_each(netfilter, address),
        done => done,
    }
}

fn forget_each(netfilter: &mut Netlink, address: Ipv4Addr) -> io::Result<()> {
    for flow in flows_to(netfilter, address)? {
        match netfilter.perform(deletion(&flow)) {
            // It has ended by itself meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            done => done?,
        }
    }
    Ok(())
}

/// Says which flows are meant: those that the address answers.
fn select(message: &mut Batch, address: Ipv4Addr) {
    message
        .header(&HEADER)
        .nest(CTA_TUPLE_REPLY, |tuple| {
            tuple.nest(CTA_TUPLE_IP, |ip| {
                ip.attribute(CTA_IP_V4_SRC, &address.octets());
            });
        })
        .nest(CTA_FILTER, |filter| {
            filter.number(CTA_FILTER_ORIG_FLAGS, 0).number(CTA_FILTER_REPLY_FLAGS, CTA_FILTER_F_IP_SRC);
        });
}

/// A flow as the kernel tells of it: the attributes that name it.
type Flow = Vec<(u16, Vec<u8>)>;

fn flows_to(netfilter: &mut Netlink, address: Ipv4Addr) -> io::Result<Vec<Flow>> {
    let mut question = Batch::default();
    select(question.begin(GET, libc::NLM_F_DUMP as u16), address);
    let mut found = Vec::new();
    netfilter.ask(question, |_, body| {
        let told = body.get(HEADER.len()..).unwrap_or_default();
        // Before Linux 5.8 the filter is not known, and all flows are told.
        if answers(told) == Some(address) {
            found.push(name(told));
        }
    })?;
    Ok(found)
}

fn deletion(flow: &Flow) -> Batch {
    let mut batch = Batch::default();
    batch.begin(DELETE, libc::NLM_F_ACK as u16).header(&HEADER);
    for (kind, value) in flow {
        batch.attribute(*kind, value);
    }
    batch
}

/// Who answers a flow.
fn answers(flow: &[u8]) -> Option<Ipv4Addr> {
    let source = within(within(within(flow, CTA_TUPLE_REPLY)?, CTA_TUPLE_IP)?, CTA_IP_V4_SRC)?;
    <[u8; 4]>::try_from(source).ok().map(Ipv4Addr::from)
}

fn within(bytes: &[u8], kind: u16) -> Option<&[u8]> {
    attributes(bytes).find(|(found, _)| *found == kind).map(|(_, value)| value)
}

fn name(flow: &[u8]) -> Flow {
    let names = attributes(flow).filter(|(kind, _)| [CTA_TUPLE_ORIG, CTA_ID, CTA_ZONE].contains(kind));
    names.map(|(kind, value)| (kind, value.to_vec())).collect()
}

/// The family, a version, and a place that is not used.
const HEADER: [u8; 4] = [libc::AF_INET as u8, 0, 0, 0];
const GET: u16 = 1 << 8 | 1;
const DELETE: u16 = 1 << 8 | 2;
const CTA_TUPLE_ORIG: u16 = 1;
const CTA_TUPLE_REPLY: u16 = 2;
const CTA_ID: u16 = 12;
const CTA_ZONE: u16 = 18;
const CTA_FILTER: u16 = 25;
const CTA_TUPLE_IP: u16 = 1;
const CTA_IP_V4_SRC: u16 = 1;
const CTA_FILTER_ORIG_FLAGS: u16 = 1;
const CTA_FILTER_REPLY_FLAGS: u16 = 2;
const CTA_FILTER_F_IP_SRC: u32 = 1;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn garbage_is_no_flow_to_anybody(bytes: Vec<u8>) {
            let _ = answers(&bytes);
            prop_assert!(name(&bytes).len() <= bytes.len() / 4);
        }
    }
}
