//! What a service shall have more of: labels, variables, ports, mounts and so on, merged into its spec.
//!
//! A new service has nothing before; an existing one keeps what is not named again.

use std::net::IpAddr;

use api::service::ServiceSpec;
use api::spec::container::Ulimit;
use api::spec::endpoint::NetworkAttachmentConfig;
use api::spec::resources::GenericResource;

use super::host::HostEntry;
use super::mount::MountWord;
use super::placement::Preference;
use super::publish::Ports;
use super::values::pairs;

/// What a service shall have more of.
#[derive(Debug, Default)]
pub(crate) struct Additions {
    pub(crate) cap_add: Vec<String>,
    pub(crate) cap_drop: Vec<String>,
    pub(crate) constraints: Vec<String>,
    pub(crate) container_labels: Vec<String>,
    pub(crate) dns: Vec<IpAddr>,
    pub(crate) dns_options: Vec<String>,
    pub(crate) dns_search: Vec<String>,
    pub(crate) env: Vec<String>,
    pub(crate) generic_resources: Vec<GenericResource>,
    pub(crate) groups: Vec<String>,
    pub(crate) hosts: Vec<HostEntry>,
    pub(crate) labels: Vec<String>,
    pub(crate) mounts: Vec<MountWord>,
    pub(crate) networks: Vec<NetworkAttachmentConfig>,
    pub(crate) preferences: Vec<Preference>,
    pub(crate) ports: Vec<Ports>,
    pub(crate) sysctls: Vec<String>,
    pub(crate) ulimits: Vec<Ulimit>,
}

impl Additions {
    /// Merges all into the spec.
    pub(crate) fn apply(self, spec: &mut ServiceSpec) {
        spec.labels.extend(pairs(&self.labels));
        for port in self.ports.into_iter().flat_map(|Ports(ports)| ports) {
            let all = &mut spec.endpoint_spec.get_or_insert_default().ports;
            all.retain(|old| {
                (&old.protocol, old.target_port, old.published_port)
                    != (&port.protocol, port.target_port, port.published_port)
            });
            all.push(port);
        }
        let task = &mut spec.task_template;
        for network in self.networks {
            task.networks.retain(|old| old.target != network.target);
            task.networks.push(network);
        }
        if !self.constraints.is_empty() || !self.preferences.is_empty() {
            let placement = task.placement.get_or_insert_default();
            add(&mut placement.constraints, self.constraints);
            placement.preferences.extend(self.preferences.into_iter().map(Into::into));
        }
        if !self.generic_resources.is_empty() {
            let reserved = task.resources.get_or_insert_default().reservations.get_or_insert_default();
            for new in self.generic_resources {
                reserved.generic_resources.retain(|old| kind(old) != kind(&new));
                reserved.generic_resources.push(new);
            }
        }
        let container = task.container_spec.get_or_insert_default();
        container.labels.extend(pairs(&self.container_labels));
        container.sysctls.extend(pairs(&self.sysctls));
        capabilities(&mut container.capability_add, &mut container.capability_drop, &self.cap_add);
        capabilities(&mut container.capability_drop, &mut container.capability_add, &self.cap_drop);
        for word in self.env {
            let key = |word: &str| word.split('=').next().unwrap_or_default().to_owned();
            container.env.retain(|old| key(old) != key(&word));
            container.env.push(word);
        }
        add(&mut container.groups, self.groups);
        add(&mut container.hosts, self.hosts.iter().map(HostEntry::line).collect());
        if !self.dns.is_empty() || !self.dns_options.is_empty() || !self.dns_search.is_empty() {
            let dns = container.dns_config.get_or_insert_default();
            add(&mut dns.nameservers, self.dns.iter().map(IpAddr::to_string).collect());
            add(&mut dns.options, self.dns_options);
            add(&mut dns.search, self.dns_search);
        }
        for MountWord(mount) in self.mounts {
            container.mounts.retain(|old| old.target != mount.target);
            container.mounts.push(mount);
        }
        for ulimit in self.ulimits {
            container.ulimits.retain(|old| old.name != ulimit.name);
            container.ulimits.push(ulimit);
        }
        container.ulimits.sort_by(|one, other| one.name.cmp(&other.name));
    }
}

fn add(to: &mut Vec<String>, words: Vec<String>) {
    for word in words {
        if !to.contains(&word) {
            to.push(word);
        }
    }
}

/// The kind of a thing that only the operator knows.
pub(crate) fn kind(generic: &GenericResource) -> Option<&str> {
    let GenericResource { named_resource_spec: named, discrete_resource_spec: discrete } = generic;
    named.as_ref().map(|named| named.kind.as_str()).or(discrete.as_ref().map(|one| one.kind.as_str()))
}

/// The whole name of a capability.
pub(crate) fn capability(word: &str) -> String {
    let upper = word.to_uppercase();
    match upper.as_str() {
        "ALL" | "RESET" => upper,
        _ if upper.starts_with("CAP_") => upper,
        _ => format!("CAP_{upper}"),
    }
}

/// Adds capabilities to one list and takes them off the other.
fn capabilities(to: &mut Vec<String>, from: &mut Vec<String>, words: &[String]) {
    for word in words {
        let name = capability(word);
        from.retain(|old| *old != name);
        add(to, vec![name]);
    }
    to.sort();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_added_replaces_what_has_the_same_key() {
        let mut spec = ServiceSpec::default();
        let more = |env: &str, cap: &str| Additions {
            env: vec![env.to_owned()],
            cap_add: vec![cap.to_owned()],
            ..Additions::default()
        };
        more("A=1", "net_admin").apply(&mut spec);
        more("A=2", "CAP_NET_ADMIN").apply(&mut spec);
        let container = spec.task_template.container_spec.unwrap();
        assert_eq!(
            (container.env, container.capability_add),
            (vec!["A=2".into()], vec!["CAP_NET_ADMIN".into()])
        );
    }
}
