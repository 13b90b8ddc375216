//! A compose file as a stack: everything gets the stack's name before its own, and its label.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result, bail};
use api::base64::Base64;
use api::meta::DriverConfig;
use api::network::{Ipam, IpamConfig, NetworkCreate};
use api::secret::SecretSpec;
use api::service::ServiceSpec;
use model::Labels;

use super::shape::{External, File, Network, Pairs, Payload, Scalar};
use crate::options::reference::Reference;

/// The label that says to which stack something belongs.
pub(crate) const NAMESPACE: &str = "com.docker.stack.namespace";

/// A file under the name of a stack.
#[derive(Clone, Copy)]
pub(crate) struct Stack<'a> {
    /// Its name.
    pub(crate) name: &'a str,
    /// What it shall be.
    pub(crate) file: &'a File,
    /// The folder that paths in the file start from.
    pub(crate) folder: &'a Path,
}

/// A service whose secrets and configs are still names.
#[derive(Debug)]
pub(crate) struct Named {
    /// The service; its networks are names too.
    pub(crate) spec: ServiceSpec,
    /// Secrets by their full names.
    pub(crate) secrets: Vec<Reference>,
    /// Configs by their full names.
    pub(crate) configs: Vec<Reference>,
}

impl Stack<'_> {
    /// Labels with the one of the stack.
    pub(super) fn labels(&self, pairs: &Pairs) -> Labels {
        let mut labels = plain(pairs);
        labels.insert(NAMESPACE.to_owned(), self.name.to_owned());
        labels
    }

    /// What something is called outside of the file.
    pub(super) fn full_name(&self, name: &str, given: &str, external: &External) -> String {
        match (external.is_external, external.name.as_str(), given) {
            (true, "", "") => name.to_owned(),
            (true, "", given) => given.to_owned(),
            (true, outside, _) => outside.to_owned(),
            (false, _, "") => format!("{}_{name}", self.name),
            (false, _, given) => given.to_owned(),
        }
    }

    /// The full name of a network of the file; `default` is always there.
    pub(super) fn network_name(&self, name: &str) -> Result<String> {
        match self.file.networks.get(name) {
            Some(network) => {
                let network = network.clone().unwrap_or_default();
                Ok(self.full_name(name, &network.name, &network.external))
            }
            None if name == "default" => Ok(self.full_name(name, "", &External::default())),
            None => bail!("undefined network \"{name}\""),
        }
    }

    /// Networks that services use, by their names in the file.
    fn used_networks(&self) -> BTreeSet<&str> {
        let of = |service: &'_ super::shape::Service| match service.networks.0.is_empty() {
            true => vec!["default".to_owned()],
            false => service.networks.0.keys().cloned().collect(),
        };
        let used: BTreeSet<String> = self.file.services.values().flat_map(of).collect();
        let known = self.file.networks.keys().map(String::as_str).chain(["default"]);
        known.filter(|name| used.contains(*name)).collect()
    }

    /// Networks that must be there before: their full names.
    pub(crate) fn external_networks(&self) -> Vec<String> {
        let used = self.used_networks();
        let networks = self.file.networks.iter().filter(|(name, _)| used.contains(name.as_str()));
        let external = networks.filter_map(|(name, network)| network.as_ref().map(|network| (name, network)));
        let external = external.filter(|(_, network)| network.external.is_external);
        external.map(|(name, network)| self.full_name(name, &network.name, &network.external)).collect()
    }

    /// Networks to make.
    pub(crate) fn networks(&self) -> Vec<NetworkCreate> {
        let made = |name: &str| {
            let network = self.file.networks.get(name).cloned().flatten().unwrap_or_default();
            (!network.external.is_external).then(|| self.network(name, &network))
        };
        self.used_networks().into_iter().filter_map(made).collect()
    }

    fn network(&self, name: &str, network: &Network) -> NetworkCreate {
        let driver = if network.driver.is_empty() { "overlay" } else { network.driver.as_str() };
        let subnets = network.ipam.config.iter().map(|subnet| IpamConfig {
            subnet: subnet.subnet.clone(),
            gateway: subnet.gateway.clone(),
            ip_range: subnet.ip_range.clone(),
            ..IpamConfig::default()
        });
        let ipam = Ipam { driver: network.ipam.driver.clone(), config: subnets.collect(), ..Ipam::default() };
        NetworkCreate {
            name: self.full_name(name, &network.name, &network.external),
            driver: driver.to_owned(),
            internal: network.internal,
            attachable: network.attachable,
            ipam: Some(ipam).filter(|ipam| *ipam != Ipam::default()),
            options: scalars(&network.driver_opts),
            labels: self.labels(&network.labels),
            ..NetworkCreate::default()
        }
    }

    /// Secrets to make.
    pub(crate) fn secrets(&self) -> Result<Vec<SecretSpec>> {
        self.payloads(&self.file.secrets, "secret")
    }

    /// Configs to make; they are written as secrets are.
    pub(crate) fn configs(&self) -> Result<Vec<SecretSpec>> {
        self.payloads(&self.file.configs, "config")
    }

    fn payloads(
        &self,
        all: &std::collections::BTreeMap<String, Payload>,
        what: &str,
    ) -> Result<Vec<SecretSpec>> {
        let own = all.iter().filter(|(_, payload)| !payload.external.is_external);
        let spec = |(name, payload): (&String, &Payload)| {
            let driver = |name: &str, options| DriverConfig { name: name.to_owned(), options };
            let data = match (payload.driver.as_str(), payload.file.as_str()) {
                ("", "") => bail!("{what} {name}: a file or a driver is needed"),
                ("", file) => {
                    let path = self.folder.join(file);
                    std::fs::read(&path).with_context(|| format!("open {}", path.display()))?
                }
                _ => Vec::new(),
            };
            Ok(SecretSpec {
                name: self.full_name(name, &payload.name, &payload.external),
                labels: self.labels(&payload.labels),
                data: Base64(data),
                driver: (!payload.driver.is_empty())
                    .then(|| driver(&payload.driver, scalars(&payload.driver_opts))),
                templating: (!payload.template_driver.is_empty())
                    .then(|| driver(&payload.template_driver, Default::default())),
            })
        };
        own.map(spec).collect()
    }

    /// Services to make.
    pub(crate) fn services(&self) -> Result<Vec<Named>> {
        self.file.services.iter().map(|(name, service)| self.service(name, service)).collect()
    }
}

/// Pairs as a map; what has no value is empty.
pub(super) fn plain(Pairs(pairs): &Pairs) -> Labels {
    pairs.iter().map(|(key, value)| (key.clone(), value.clone().unwrap_or_default())).collect()
}

/// Texts, though numbers may have been written.
pub(super) fn scalars(
    map: &std::collections::BTreeMap<String, Scalar>,
) -> std::collections::BTreeMap<String, String> {
    map.iter().map(|(key, Scalar(value))| (key.clone(), value.clone())).collect()
}
