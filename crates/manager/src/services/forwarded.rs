//! What a manager says of the caller whose call it forwards (`security.md` section 7).
//!
//! In: the caller's certificate and address; or the headers of a call that came. Out: the other. Whoever forwards
//! puts its own words in the place of all that the caller may have said of itself.

use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, HeaderValue};
use pki::Subject;
use tonic::metadata::{Ascii, MetadataMap, MetadataValue};
use wire::Peer;

/// `true` on every call that is forwarded.
const FORWARDED: &str = "forwarded_cert";
/// The caller's common name, organization and units.
const COMMON_NAME: &str = "forwarded_cert_cn";
const ORGANIZATION: &str = "forwarded_cert_org";
const UNIT: &str = "forwarded_cert_ou";
/// The caller's address and port.
const REMOTE_ADDR: &str = "remote_addr";
/// The forwarding manager's caller; its presence says that the call has come this way once.
pub(super) const REDIRECT: &str = "redirect";

/// A caller, in the words of the manager that forwards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Forwarded {
    /// Who; blank for a caller without certificate.
    subject: Subject,
    /// From where.
    addr: Option<SocketAddr>,
}

impl Forwarded {
    /// The caller at the other end of this connection.
    pub(super) fn from_peer(peer: &Peer) -> Self {
        let subject = peer.certificate.as_ref().and_then(|certificate| Subject::of(certificate).ok());
        Self { subject: subject.unwrap_or_default(), addr: Some(peer.addr) }
    }

    /// The caller that these headers name; `None` if the call is not forwarded.
    pub(super) fn of(metadata: &MetadataMap) -> Option<Self> {
        let texts = |key: &str| -> Vec<String> {
            let text = |value: &MetadataValue<Ascii>| value.to_str().ok().map(str::to_owned);
            metadata.get_all(key).iter().filter_map(text).collect()
        };
        let first = |key: &str| texts(key).into_iter().next().unwrap_or_default();
        if texts(FORWARDED) != ["true"] {
            return None;
        }
        let subject = Subject {
            common_name: first(COMMON_NAME),
            organization: first(ORGANIZATION),
            units: texts(UNIT),
        };
        Some(Self { subject, addr: first(REMOTE_ADDR).parse().ok() })
    }

    /// Writes it into the headers of a call, in the place of what is there.
    pub(super) fn write(&self, headers: &mut HeaderMap) {
        let Self { subject, addr } = self;
        headers.insert(FORWARDED, HeaderValue::from_static("true"));
        // Blank values matter: without them the call would be taken for the forwarding manager's own.
        headers.insert(COMMON_NAME, value(&subject.common_name));
        headers.insert(ORGANIZATION, value(&subject.organization));
        headers.remove(UNIT);
        for unit in &subject.units {
            headers.append(UNIT, value(unit));
        }
        let addr = addr.map(|addr| addr.to_string()).unwrap_or_default();
        headers.insert(REMOTE_ADDR, value(&addr));
        headers.insert(REDIRECT, value(&addr));
    }

    /// True if the caller has shown a certificate.
    pub(super) fn is_known(&self) -> bool {
        !self.subject.common_name.is_empty()
    }

    /// Who calls; `None` if something is missing.
    pub(super) fn subject(&self) -> Option<&Subject> {
        let Subject { common_name, organization, units: _ } = &self.subject;
        (!common_name.is_empty() && !organization.is_empty()).then_some(&self.subject)
    }

    /// From where the call came first.
    pub(super) fn addr(&self) -> Option<IpAddr> {
        self.addr.map(|addr| addr.ip())
    }
}

/// What no header can hold is no name of a node either.
fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(headers: HeaderMap) -> Option<Forwarded> {
        Forwarded::of(&MetadataMap::from_headers(headers))
    }

    #[test]
    fn a_caller_comes_out_as_it_went_in() {
        let subject = Subject {
            common_name: "node".to_owned(),
            organization: "swarm".to_owned(),
            units: vec!["swarm-worker".to_owned(), "other".to_owned()],
        };
        let addr = "10.0.0.9:4000".parse().ok();
        for subject in [subject, Subject::default()] {
            let forwarded = Forwarded { subject, addr };
            let mut headers = HeaderMap::new();
            forwarded.write(&mut headers);
            assert_eq!(read(headers), Some(forwarded));
        }
    }

    #[test]
    fn what_a_caller_says_of_itself_does_not_count() {
        let mut headers = HeaderMap::new();
        let liar = Subject { units: vec!["swarm-manager".to_owned()], ..Subject::default() };
        Forwarded { subject: liar, addr: None }.write(&mut headers);
        let nobody = Forwarded { subject: Subject::default(), addr: "10.0.0.9:4000".parse().ok() };
        nobody.write(&mut headers);
        assert_eq!(read(headers), Some(nobody.clone()));
        assert!(!nobody.is_known() && nobody.subject().is_none());
    }

    #[test]
    fn only_the_one_word_makes_a_forwarded_call() {
        for words in [&[][..], &["false"], &["true", "true"]] {
            let mut headers = HeaderMap::new();
            for word in words {
                headers.append(FORWARDED, HeaderValue::from_static(word));
            }
            assert_eq!(read(headers), None, "{words:?}");
        }
    }
}
