//! What a service shall have less of: the counterpart of what is added. Names that it does not have are no fault.

use std::str::FromStr;

use api::service::ServiceSpec;
use api::spec::container::ContainerSpec;
use api::spec::endpoint::PortConfig;
use api::spec::placement::PlacementPreference;

use super::additions::kind;
use super::placement::Preference;
use super::values::without;

/// What a service shall have less of.
#[derive(Debug, Default)]
pub(crate) struct Removals {
    pub(crate) configs: Vec<String>,
    pub(crate) constraints: Vec<String>,
    pub(crate) container_labels: Vec<String>,
    pub(crate) dns: Vec<String>,
    pub(crate) dns_options: Vec<String>,
    pub(crate) dns_search: Vec<String>,
    pub(crate) env: Vec<String>,
    pub(crate) generic_resources: Vec<String>,
    pub(crate) groups: Vec<String>,
    pub(crate) hosts: Vec<String>,
    pub(crate) labels: Vec<String>,
    pub(crate) mounts: Vec<String>,
    pub(crate) networks: Vec<String>,
    pub(crate) preferences: Vec<Preference>,
    pub(crate) ports: Vec<PortName>,
    pub(crate) secrets: Vec<String>,
    pub(crate) sysctls: Vec<String>,
    pub(crate) ulimits: Vec<String>,
}

/// A published port by its number in the containers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PortName {
    target: u32,
    protocol: String,
}

impl FromStr for PortName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (number, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
        match number.parse::<u16>() {
            Ok(target) if target > 0 => Ok(Self { target: target.into(), protocol: protocol.to_lowercase() }),
            _ => Err(format!("invalid target port: {number}")),
        }
    }
}

impl PortName {
    fn is(&self, port: &PortConfig) -> bool {
        (self.target, self.protocol.as_str()) == (port.target_port, port.protocol.as_str())
    }
}

impl Removals {
    /// Takes all off the spec.
    pub(crate) fn apply(self, spec: &mut ServiceSpec) {
        without(&mut spec.labels, &self.labels);
        if let Some(endpoint) = &mut spec.endpoint_spec {
            endpoint.ports.retain(|port| !self.ports.iter().any(|name| name.is(port)));
        }
        let task = &mut spec.task_template;
        task.networks.retain(|network| !self.networks.contains(&network.target));
        if let Some(placement) = &mut task.placement {
            placement.constraints.retain(|constraint| !self.constraints.contains(constraint));
            let wishes = |preference: &Preference| PlacementPreference::from(preference.clone());
            placement.preferences.retain(|old| !self.preferences.iter().any(|name| wishes(name) == *old));
        }
        if let Some(reserved) = task.resources.as_mut().and_then(|resources| resources.reservations.as_mut())
        {
            let named =
                |name: Option<&str>| self.generic_resources.iter().any(|gone| Some(gone.as_str()) == name);
            reserved.generic_resources.retain(|generic| !named(kind(generic)));
        }
        self.apply_to_container(task.container_spec.get_or_insert_default());
    }

    fn apply_to_container(self, container: &mut ContainerSpec) {
        without(&mut container.labels, &self.container_labels);
        without(&mut container.sysctls, &self.sysctls);
        let name = |word: &String| word.split('=').next().unwrap_or_default().to_owned();
        container.env.retain(|word| !self.env.contains(&name(word)));
        container.groups.retain(|group| !self.groups.contains(group));
        container.mounts.retain(|mount| !self.mounts.contains(&mount.target));
        container.secrets.retain(|secret| !self.secrets.contains(&secret.secret_name));
        container.configs.retain(|config| !self.configs.contains(&config.config_name));
        container.ulimits.retain(|ulimit| !self.ulimits.contains(&ulimit.name));
        if let Some(dns) = &mut container.dns_config {
            dns.nameservers.retain(|server| !self.dns.contains(server));
            dns.options.retain(|option| !self.dns_options.contains(option));
            dns.search.retain(|domain| !self.dns_search.contains(domain));
        }
        let lines = std::mem::take(&mut container.hosts);
        container.hosts = lines.into_iter().filter_map(|line| without_hosts(&line, &self.hosts)).collect();
    }
}

/// A line of the hosts file without the names that go; nothing if none is left.
fn without_hosts(line: &str, gone: &[String]) -> Option<String> {
    let (address, names) = line.split_once(' ')?;
    let goes = |name: &str| {
        gone.iter().any(|word| match word.split_once([':', '=']) {
            Some((gone, at)) => (gone, at) == (name, address),
            None => word == name,
        })
    };
    let left: Vec<&str> = names.split_whitespace().filter(|name| !goes(name)).collect();
    (!left.is_empty()).then(|| format!("{address} {}", left.join(" ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_named_goes_and_the_rest_stays() {
        let spec = r#"{"Labels":{"a":"1","b":"2"},"EndpointSpec":{"Ports":[
            {"Protocol":"tcp","TargetPort":80},{"Protocol":"udp","TargetPort":80}]},
            "TaskTemplate":{"Networks":[{"Target":"n1"},{"Target":"n2"}],
            "Placement":{"Constraints":["x==1"],"Preferences":[{"Spread":{"SpreadDescriptor":"node.labels.z"}}]},
            "Resources":{"Reservations":{"GenericResources":[{"DiscreteResourceSpec":{"Kind":"gpu","Value":1}}]}},
            "ContainerSpec":{"Env":["A=1","B=2"],"Hosts":["1.2.3.4 a b","5.6.7.8 a"],
            "DNSConfig":{"Nameservers":["1.1.1.1"]},"Sysctls":{"k":"v"},"Ulimits":[{"Name":"core"}]}}}"#;
        let mut spec: ServiceSpec = api::read(spec.as_bytes()).unwrap();
        let own = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let removals = Removals {
            constraints: own(&["x==1"]),
            dns: own(&["1.1.1.1"]),
            env: own(&["A", "NONE"]),
            generic_resources: own(&["gpu"]),
            hosts: own(&["a:1.2.3.4"]),
            labels: own(&["a"]),
            networks: own(&["n1"]),
            preferences: vec!["spread=node.labels.z".parse().unwrap()],
            ports: vec!["80".parse().unwrap()],
            sysctls: own(&["k"]),
            ulimits: own(&["core"]),
            ..Removals::default()
        };
        removals.apply(&mut spec);
        let expected = r#"{"Labels":{"b":"2"},"EndpointSpec":{"Ports":[{"Protocol":"udp","TargetPort":80}]},
            "TaskTemplate":{"Networks":[{"Target":"n2"}],"Placement":{},"Resources":{"Reservations":{}},
            "ContainerSpec":{"Env":["B=2"],"Hosts":["1.2.3.4 b","5.6.7.8 a"],"DNSConfig":{}}}}"#;
        assert_eq!(spec, api::read(expected.as_bytes()).unwrap());
    }

    #[test]
    fn ports_have_numbers() {
        assert_eq!("53/UDP".parse(), Ok(PortName { target: 53, protocol: "udp".to_owned() }));
        for text in ["", "x", "0", "70000"] {
            assert_eq!(text.parse::<PortName>(), Err(format!("invalid target port: {text}")));
        }
    }
}
