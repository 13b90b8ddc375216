//! Networks that span the swarm.

use model::network::{AddressFamily, IpamConfig, IpamOptions, Network, NetworkAttachment, NetworkSpec};

use super::{Malformed, OnWire, twins, words};
use crate::proto;
use crate::proto::network_spec::ConfigFrom;

twins!(Network, proto::Network { id, meta!, spec!, driver_state, ipam, pending_delete, extra, });
twins!(IpamOptions, proto::IpamOptions { driver, configs });
twins!(IpamConfig, proto::IpamConfig { family, subnet, range, gateway, reserved });
words!(AddressFamily { Unknown = 0, Ipv4 = 4, Ipv6 = 6 });
twins!(NetworkAttachment, proto::NetworkAttachment {
    network!,
    addresses,
    aliases,
    driver_attachment_opts,
});
twins!(NetworkSpec, proto::NetworkSpec {
    annotations!,
    driver_config,
    ipv6_enabled,
    internal,
    ipam,
    attachable,
    ingress,
    config_from,
});

impl OnWire<Option<ConfigFrom>> for Option<String> {
    fn to_wire(&self) -> Option<ConfigFrom> {
        self.clone().map(ConfigFrom::Network)
    }

    fn from_wire(wire: Option<ConfigFrom>) -> Result<Self, Malformed> {
        Ok(wire.map(|ConfigFrom::Network(network)| network))
    }
}
