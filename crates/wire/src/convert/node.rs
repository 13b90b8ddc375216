//! Nodes: what they are, shall be, and say of themselves.

use model::node::{
    Availability, Certificate, EngineDescription, IssuanceState, IssuanceStatus, ManagerStatus, Membership,
    Node, NodeCsiInfo, NodeDescription, NodeRole, NodeSpec, NodeState, NodeStatus, NodeTlsInfo,
    PluginDescription, Reachability,
};

use super::{Malformed, OnWire, field, twins, words};
use crate::proto;

twins!(NodeSpec, proto::NodeSpec { annotations!, desired_role, membership, availability, });
words!(NodeRole { Worker = 0, Manager = 1 });
words!(Membership { Pending = 0, Accepted = 1 });
words!(Availability { Active = 0, Pause = 1, Drain = 2 });
twins!(
    NodeDescription,
    proto::NodeDescription { hostname, platform, resources, engine, tls_info, fips, csi_info }
);
twins!(EngineDescription, proto::EngineDescription { engine_version, labels, plugins });
twins!(PluginDescription, proto::PluginDescription { kind = r#type, name, });
twins!(NodeTlsInfo, proto::NodeTlsInfo { trust_root, cert_issuer_subject, cert_issuer_public_key });
twins!(NodeCsiInfo, proto::NodeCsiInfo { plugin_name, node_id, max_volumes_per_node, accessible_topology });
twins!(NodeStatus, proto::NodeStatus { state, message, addr });
words!(NodeState { Unknown = 0, Down = 1, Ready = 2, Disconnected = 3 });
twins!(ManagerStatus, proto::ManagerStatus { raft_id, addr, leader, reachability });
words!(Reachability { Unknown = 0, Unreachable = 1, Reachable = 2 });
twins!(Certificate, proto::Certificate {
    role, csr, status!, certificate, common_name = cn,
});
twins!(IssuanceStatus, proto::IssuanceStatus { state, err });
words!(IssuanceState { Unknown = 0, Renew = 1, Pending = 2, Issued = 3, Failed = 4, Rotate = 5 });

impl OnWire<proto::Node> for Node {
    fn to_wire(&self) -> proto::Node {
        let Self {
            id,
            meta,
            spec,
            description,
            status,
            manager_status,
            attachments,
            certificate,
            role,
            vxlan_port,
        } = self;
        proto::Node {
            id: id.to_wire(),
            meta: Some(meta.to_wire()),
            spec: Some(spec.to_wire()),
            description: description.to_wire(),
            status: Some(status.to_wire()),
            manager_status: manager_status.to_wire(),
            attachment: None, // the list has taken its place
            certificate: Some(certificate.to_wire()),
            role: role.to_wire(),
            attachments: attachments.to_wire(),
            vxlanudp_port: *vxlan_port,
        }
    }

    fn from_wire(wire: proto::Node) -> Result<Self, Malformed> {
        let proto::Node {
            id,
            meta,
            spec,
            description,
            status,
            manager_status,
            attachment,
            certificate,
            role,
            mut attachments,
            vxlanudp_port,
        } = wire;
        if attachments.is_empty() {
            attachments.extend(attachment); // old managers write one, in a place of its own
        }
        Ok(Self {
            id: field("id", id)?,
            meta: field("meta", meta.unwrap_or_default())?,
            spec: field("spec", spec.unwrap_or_default())?,
            description: field("description", description)?,
            status: field("status", status.unwrap_or_default())?,
            manager_status: field("manager_status", manager_status)?,
            attachments: field("attachments", attachments)?,
            certificate: field("certificate", certificate.unwrap_or_default())?,
            role: field("role", role)?,
            vxlan_port: vxlanudp_port,
        })
    }
}
