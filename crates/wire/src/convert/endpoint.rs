//! How a service is reached.

use model::service::{Endpoint, VirtualIp};
use model::spec::endpoint::{
    EndpointSpec, NetworkAttachmentConfig, PortConfig, Protocol, PublishMode, ResolutionMode,
};

use super::{twins, words};
use crate::proto;

twins!(EndpointSpec, proto::EndpointSpec { mode, ports });
words!(ResolutionMode { Vip = 0, DnsRoundRobin = 1 });
twins!(PortConfig, proto::PortConfig { name, protocol, target_port, published_port, publish_mode });
words!(Protocol { Tcp = 0, Udp = 1, Sctp = 2 });
words!(PublishMode { Ingress = 0, Host = 1 });
twins!(
    NetworkAttachmentConfig,
    proto::NetworkAttachmentConfig { target, aliases, addresses, driver_attachment_opts }
);
twins!(Endpoint, proto::Endpoint { spec, ports, virtual_ips });
twins!(VirtualIp, proto::endpoint::VirtualIp { network_id, addr });
