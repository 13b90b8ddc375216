//! What a service's spec names: secrets, configs, networks (`control.md` section 11).

use std::collections::BTreeMap;
use std::sync::Arc;

use model::spec::container::{ConfigReference, ConfigTarget, SecretReference};
use model::spec::endpoint::{EndpointSpec, PublishMode, ResolutionMode};
use model::spec::privileges::CredentialSpec;
use model::{ContainerSpec, Network, Refusal, ServiceSpec};
use store::State;

use super::not_now;

/// Judges everything a spec names.
pub(super) fn check(state: &State, spec: &ServiceSpec) -> Result<(), Refusal> {
    check_networks(state, spec)?;
    let Some(container) = spec.task.container() else { return Ok(()) };
    check_secret_targets(&container.secrets)?;
    check_config_targets(&container.configs)?;
    check_secrets_exist(state, &container.secrets)?;
    check_configs_exist(state, &container.configs)?;
    check_credentials(container)
}

fn check_networks(state: &State, spec: &ServiceSpec) -> Result<(), Refusal> {
    let targets = spec.task.networks.iter().chain(&spec.networks).map(|config| &config.target);
    let mut known = targets.filter_map(|target| state.networks.get(target.parse().ok()?));
    if let Some(network) = known.find(|network| network.is_ingress()) {
        let name = &network.spec.annotations.name;
        let message = format!("Service cannot be explicitly attached to the ingress network \"{name}\"");
        return Err(Refusal::invalid(message));
    }
    let has_ingress = || state.networks.iter().any(|network: &Arc<Network>| network.is_ingress());
    if spec.endpoint.as_ref().is_some_and(needs_mesh) && !has_ingress() {
        return Err(not_now("service needs ingress network, but no ingress network is present"));
    }
    Ok(())
}

pub(super) fn needs_mesh(endpoint: &EndpointSpec) -> bool {
    let is_ingress = |mode| mode == PublishMode::Ingress;
    endpoint.mode == ResolutionMode::Vip && endpoint.ports.iter().any(|port| is_ingress(port.publish_mode))
}

fn check_secret_targets(secrets: &[SecretReference]) -> Result<(), Refusal> {
    let mut targets = Targets { kind: "secret", seen: BTreeMap::new() };
    for secret in secrets {
        let file = secret.file.as_ref().ok_or_else(|| no_target("secret"))?;
        targets.take(&secret.secret_name, &file.name)?;
    }
    Ok(())
}

fn check_config_targets(configs: &[ConfigReference]) -> Result<(), Refusal> {
    let mut targets = Targets { kind: "config", seen: BTreeMap::new() };
    for config in configs {
        match &config.target {
            None => return Err(no_target("config")),
            Some(ConfigTarget::File(file)) => targets.take(&config.config_name, &file.name)?,
            Some(ConfigTarget::Runtime) => targets.check_name(&config.config_name)?,
        }
    }
    Ok(())
}

/// Which files are taken, and by which secret or config.
struct Targets<'a> {
    kind: &'static str,
    seen: BTreeMap<&'a str, &'a str>,
}

impl<'a> Targets<'a> {
    fn take(&mut self, name: &'a str, file: &'a str) -> Result<(), Refusal> {
        self.check_name(name)?;
        let kind = self.kind;
        if file.is_empty() {
            let message = format!("malformed file {kind} reference, invalid target file name provided");
            return Err(Refusal::invalid(message));
        }
        if let Some(earlier) = self.seen.insert(file, name) {
            return Err(Refusal::invalid(format!(
                "{kind} references '{earlier}' and '{name}' have a conflicting target: '{file}'"
            )));
        }
        Ok(())
    }

    fn check_name(&self, name: &str) -> Result<(), Refusal> {
        if name.is_empty() {
            return Err(Refusal::invalid(format!("malformed {} reference", self.kind)));
        }
        Ok(())
    }
}

fn no_target(kind: &str) -> Refusal {
    Refusal::invalid(format!("malformed {kind} reference, no target provided"))
}

fn check_secrets_exist(state: &State, secrets: &[SecretReference]) -> Result<(), Refusal> {
    let exists = |wished: &&SecretReference| {
        let found = state.secrets.get(wished.secret_id);
        found.is_some_and(|found| found.spec.annotations.name == wished.secret_name)
    };
    let missing = secrets.iter().filter(|wished| !exists(wished)).map(|wished| wished.secret_name.as_str());
    refuse_missing("secret", missing.collect())
}

fn check_configs_exist(state: &State, configs: &[ConfigReference]) -> Result<(), Refusal> {
    let exists = |wished: &&ConfigReference| {
        let found = state.configs.get(wished.config_id);
        found.is_some_and(|found| found.spec.annotations.name == wished.config_name)
    };
    let missing = configs.iter().filter(|wished| !exists(wished)).map(|wished| wished.config_name.as_str());
    refuse_missing("config", missing.collect())
}

fn refuse_missing(kind: &str, missing: Vec<&str>) -> Result<(), Refusal> {
    match missing[..] {
        [] => Ok(()),
        [one] => Err(Refusal::invalid(format!("{kind} not found: {one}"))),
        _ => Err(Refusal::invalid(format!("{kind}s not found: {}", missing.join(", ")))),
    }
}

/// Credentials may come from a config only if the task has it, and not as a file.
fn check_credentials(container: &ContainerSpec) -> Result<(), Refusal> {
    let credentials =
        container.privileges.as_ref().and_then(|privileges| privileges.credential_spec.as_ref());
    let Some(CredentialSpec::Config(id)) = credentials else { return Ok(()) };
    let is_it = |config: &ConfigReference| {
        config.config_id.as_str() == id && config.target == Some(ConfigTarget::Runtime)
    };
    if container.configs.iter().any(is_it) {
        return Ok(());
    }
    let message = format!("CredentialSpec: config {id} must be among the configs with a runtime target");
    Err(Refusal::invalid(message))
}
