//! What a certificate says of its holder: who, in which swarm, in which role, and when.

use std::str::FromStr;

use model::node::NodeRole;
use model::{ClusterId, NodeId, Timestamp};
use x509_parser::prelude::{FromDer, X509Certificate, X509Name};

use crate::Unusable;

/// The word for a role in certificates.
pub fn unit_of(role: NodeRole) -> &'static str {
    match role {
        NodeRole::Manager => "swarm-manager",
        NodeRole::Worker => "swarm-worker",
    }
}

/// Whom a certificate names, as texts: foreign ones may say anything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subject {
    /// The common name: the node's id.
    pub common_name: String,
    /// The organization: the swarm's id.
    pub organization: String,
    /// The organizational units: the roles.
    pub units: Vec<String>,
}

/// From when until when a certificate is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// Not before.
    pub from: Timestamp,
    /// Not after.
    pub until: Timestamp,
}

impl Subject {
    /// Whom this certificate, DER, names.
    ///
    /// # Errors
    /// If it is no certificate.
    pub fn of(certificate: &[u8]) -> Result<Self, Unusable> {
        let (_, certificate) = X509Certificate::from_der(certificate)
            .map_err(|error| Unusable::unreadable("certificate", error))?;
        Ok(Self::of_name(certificate.subject()))
    }

    fn of_name(name: &X509Name<'_>) -> Self {
        let first =
            |mut texts: Vec<String>| if texts.is_empty() { String::new() } else { texts.swap_remove(0) };
        Self {
            common_name: first(name.iter_common_name().filter_map(text).collect()),
            organization: first(name.iter_organization().filter_map(text).collect()),
            units: name.iter_organizational_unit().filter_map(text).collect(),
        }
    }

    /// The node, if the common name is a node's id.
    pub fn node_id(&self) -> Option<NodeId> {
        NodeId::from_str(&self.common_name).ok()
    }

    /// The swarm, if the organization is a swarm's id.
    pub fn cluster_id(&self) -> Option<ClusterId> {
        ClusterId::from_str(&self.organization).ok()
    }

    /// The role: manager if it may be one.
    pub fn role(&self) -> Option<NodeRole> {
        [NodeRole::Manager, NodeRole::Worker].into_iter().find(|role| self.has(*role))
    }

    /// True if the certificate was issued for this role.
    pub fn has(&self, role: NodeRole) -> bool {
        self.units.iter().any(|unit| unit == unit_of(role))
    }
}

impl Validity {
    /// When this certificate, DER, is valid.
    ///
    /// # Errors
    /// If it is no certificate.
    pub fn of(certificate: &[u8]) -> Result<Self, Unusable> {
        let (_, certificate) = X509Certificate::from_der(certificate)
            .map_err(|error| Unusable::unreadable("certificate", error))?;
        let validity = certificate.validity();
        Ok(Self {
            from: Timestamp::from_parts(validity.not_before.timestamp(), 0),
            until: Timestamp::from_parts(validity.not_after.timestamp(), 0),
        })
    }
}

fn text(attribute: &x509_parser::x509::AttributeTypeAndValue<'_>) -> Option<String> {
    attribute.as_str().ok().map(str::to_owned)
}
