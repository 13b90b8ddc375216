//! Netlink messages as bytes: the one form in which the kernel is told about links, rules and flows.
//!
//! In: headers and attributes. Out: a batch of messages, and the parts of what came back. It sends nothing and knows
//! no family; bytes from outside are cut with care and never trusted.

/// Messages in the making, one behind the other.
#[derive(Default)]
pub(crate) struct Batch {
    bytes: Vec<u8>,
    last: usize,
    count: u32,
}

/// One message that came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reply<'a> {
    pub(crate) kind: u16,
    pub(crate) sequence: u32,
    /// Whose request it answers or tells of: the number of a socket.
    pub(crate) socket: u32,
    pub(crate) body: &'a [u8],
}

impl Batch {
    /// Begins the next message. Its sequence number is its place in the batch.
    pub(crate) fn begin(&mut self, kind: u16, flags: u16) -> &mut Self {
        self.end();
        self.last = self.bytes.len();
        self.bytes.extend(0u32.to_ne_bytes());
        self.bytes.extend(kind.to_ne_bytes());
        self.bytes.extend((flags | libc::NLM_F_REQUEST as u16).to_ne_bytes());
        self.bytes.extend(self.count.to_ne_bytes());
        self.bytes.extend(0u32.to_ne_bytes());
        self.count += 1;
        self
    }

    /// The family's own header.
    pub(crate) fn header(&mut self, bytes: &[u8]) -> &mut Self {
        self.bytes.extend(bytes);
        self.pad()
    }

    /// One attribute.
    pub(crate) fn attribute(&mut self, kind: u16, value: &[u8]) -> &mut Self {
        let length = u16::try_from(value.len() + 4).expect("attributes are short");
        self.bytes.extend(length.to_ne_bytes());
        self.bytes.extend(kind.to_ne_bytes());
        self.bytes.extend(value);
        self.pad()
    }

    /// One attribute that holds a number in the machine's order.
    pub(crate) fn number(&mut self, kind: u16, value: u32) -> &mut Self {
        self.attribute(kind, &value.to_ne_bytes())
    }

    /// One attribute that holds a number in the wire's order.
    pub(crate) fn big_endian(&mut self, kind: u16, value: u32) -> &mut Self {
        self.attribute(kind, &value.to_be_bytes())
    }

    /// One attribute that holds a text.
    pub(crate) fn text(&mut self, kind: u16, value: &str) -> &mut Self {
        let mut bytes = value.as_bytes().to_vec();
        bytes.push(0);
        self.attribute(kind, &bytes)
    }

    /// One attribute that holds more attributes.
    pub(crate) fn nest(&mut self, kind: u16, fill: impl FnOnce(&mut Self)) -> &mut Self {
        let start = self.bytes.len();
        self.attribute(kind | NESTED, &[]);
        fill(self);
        let length = u16::try_from(self.bytes.len() - start).expect("attributes are short");
        self.bytes[start..start + 2].copy_from_slice(&length.to_ne_bytes());
        self
    }

    /// Marks the last message as one that wants an answer also if it succeeds. Returns its sequence number.
    pub(crate) fn ask_for_answer(&mut self) -> u32 {
        let flags = self.last + 6;
        let present = u16::from_ne_bytes([self.bytes[flags], self.bytes[flags + 1]]);
        let wanted = present | libc::NLM_F_ACK as u16;
        self.bytes[flags..flags + 2].copy_from_slice(&wanted.to_ne_bytes());
        self.count - 1
    }

    /// How many messages there are.
    pub(crate) fn count(&self) -> u32 {
        self.count
    }

    /// All messages, ready to be sent.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        self.end();
        self.bytes
    }

    fn end(&mut self) {
        if self.count > 0 {
            let length = u32::try_from(self.bytes.len() - self.last).expect("messages are short");
            self.bytes[self.last..self.last + 4].copy_from_slice(&length.to_ne_bytes());
        }
    }

    fn pad(&mut self) -> &mut Self {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
        self
    }
}

/// The messages in what the kernel sent. Ends where the bytes make no sense any more.
pub(crate) fn replies(mut bytes: &[u8]) -> impl Iterator<Item = Reply<'_>> {
    std::iter::from_fn(move || {
        let length = u32_at(bytes, 0)? as usize;
        let whole = bytes.get(..length).filter(|whole| whole.len() >= 16)?;
        let reply = Reply {
            kind: u16_at(whole, 4)?,
            sequence: u32_at(whole, 8)?,
            socket: u32_at(whole, 12)?,
            body: &whole[16..],
        };
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or(&[]);
        Some(reply)
    })
}

/// The attributes in a message after its header, without the marks for nesting and byte order.
pub(crate) fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = usize::from(u16_at(bytes, 0)?);
        let whole = bytes.get(..length).filter(|whole| whole.len() >= 4)?;
        let kind = u16_at(whole, 2)? & !(NESTED | NETWORK_ORDER);
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or(&[]);
        Some((kind, &whole[4..]))
    })
}

/// The number at a place, in the machine's order.
pub(crate) fn u32_at(bytes: &[u8], place: usize) -> Option<u32> {
    bytes.get(place..place + 4)?.try_into().ok().map(u32::from_ne_bytes)
}

fn u16_at(bytes: &[u8], place: usize) -> Option<u16> {
    bytes.get(place..place + 2)?.try_into().ok().map(u16::from_ne_bytes)
}

const NESTED: u16 = 1 << 15;
const NETWORK_ORDER: u16 = 1 << 14;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_batch_reads_back() {
        let mut batch = Batch::default();
        batch.begin(16, 0).header(&[7; 16]).text(3, "eth0").nest(18, |inner| {
            inner.number(1, 42);
        });
        batch.begin(20, 0).header(&[8; 8]);
        let bytes = batch.finish();
        let replies: Vec<_> = replies(&bytes).collect();
        assert_eq!(
            replies.iter().map(|reply| (reply.kind, reply.sequence)).collect::<Vec<_>>(),
            [(16, 0), (20, 1)]
        );
        let found: Vec<_> = attributes(&replies[0].body[16..]).collect();
        assert_eq!(found[0], (3, b"eth0\0".as_slice()));
        assert_eq!(attributes(found[1].1).collect::<Vec<_>>(), [(1, 42u32.to_ne_bytes().as_slice())]);
    }

    proptest! {
        #[test]
        fn garbage_is_cut_without_harm(bytes: Vec<u8>) {
            for reply in replies(&bytes) {
                attributes(reply.body).count();
            }
            attributes(&bytes).count();
        }
    }
}
