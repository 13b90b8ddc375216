//! One service as a page for people: what `--pretty` shows.

use std::fmt::Write;

use api::service::{Service, ServiceSpec, UpdateStatus};
use api::spec::container::{ContainerSpec, HealthConfig};
use api::spec::placement::Placement;
use api::spec::resources::ResourceRequirements;
use api::spec::update::UpdateConfig;

use crate::output::units;

/// The page; `networks` are the names of those that its tasks join. The last line is ended by whoever prints it.
pub(super) fn page(service: &Service, networks: &[String]) -> String {
    let mut page = Page::default();
    let Service { id, spec, endpoint, update_status, .. } = service;
    page.line(format_args!("\nID:\t\t{id}\nName:\t\t{}", spec.name));
    if !spec.labels.is_empty() {
        page.line("Labels:");
        spec.labels.iter().for_each(|(key, value)| page.line(format_args!(" {key}={value}")));
    }
    page.mode(spec);
    if let Some(status) = update_status.as_ref().filter(|status| !status.state.is_empty()) {
        page.status(status);
    }
    page.placement(spec.task_template.placement.as_ref());
    page.pace("UpdateConfig", "Update", spec.update_config.as_ref());
    page.pace("RollbackConfig", "Rollback", spec.rollback_config.as_ref());
    if let Some(container) = &spec.task_template.container_spec {
        page.container(container);
        page.confinement(container);
        page.files(container);
    }
    if let Some(driver) = &spec.task_template.log_driver {
        page.line(format_args!("Log Driver:\n Name:\t\t{}", driver.name));
        if !driver.options.is_empty() {
            page.line(" LogOpts:");
            driver.options.iter().for_each(|(key, value)| page.line(format_args!("  {key}:       {value}")));
            page.line("");
        }
    }
    page.resources(spec.task_template.resources.as_ref());
    if !networks.is_empty() {
        page.line(format_args!("Networks: {} ", networks.join(" ")));
    }
    let mode = spec.endpoint_spec.as_ref().map(|endpoint| endpoint.mode.as_str()).unwrap_or_default();
    page.line(format_args!("Endpoint Mode:\t{mode}"));
    if !endpoint.ports.is_empty() {
        page.line("Ports:");
    }
    for port in &endpoint.ports {
        page.line(format_args!(" PublishedPort = {}", port.published_port));
        page.line(format_args!("  Protocol = {}", port.protocol));
        page.line(format_args!("  TargetPort = {}", port.target_port));
        page.line(format_args!("  PublishMode = {}", port.publish_mode));
    }
    // Docker's CLI puts a blank behind the last port if more follows.
    let health =
        spec.task_template.container_spec.as_ref().and_then(|container| container.healthcheck.as_ref());
    if let Some(health) = health {
        page.health(health, !endpoint.ports.is_empty());
    }
    page.text
}

#[derive(Default)]
struct Page {
    text: String,
}

impl Page {
    fn line(&mut self, text: impl std::fmt::Display) {
        writeln!(self.text, "{text}").expect("a string takes everything");
    }

    fn mode(&mut self, spec: &ServiceSpec) {
        let word = match (&spec.mode.replicated, &spec.mode.global) {
            (Some(_), _) => "\tReplicated",
            (_, Some(_)) => "\tGlobal",
            // Docker's CLI has no word for jobs here.
            _ => "",
        };
        self.line(format_args!("Service Mode:{word}"));
        if let Some(replicas) = spec.mode.replicated.and_then(|replicated| replicated.replicas) {
            self.line(format_args!(" Replicas:\t{replicas}"));
        }
    }

    fn status(&mut self, UpdateStatus { state, started_at, completed_at, message }: &UpdateStatus) {
        self.line(format_args!("UpdateStatus:\n State:\t\t{state}"));
        for (what, at) in [("Started", started_at), ("Completed", completed_at)] {
            if let Some(at) = at.filter(|at| at.0.is_some()) {
                self.line(format_args!(" {what}:\t{}", units::since(at).to_lowercase()));
            }
        }
        self.line(format_args!(" Message:\t{message}"));
    }

    fn placement(&mut self, placement: Option<&Placement>) {
        self.line("Placement:");
        let Some(Placement { constraints, preferences, max_replicas, platforms: _ }) = placement else {
            return;
        };
        if !constraints.is_empty() {
            self.line(format_args!(" Constraints:\t[{}]", constraints.join(" ")));
        }
        let spreads = preferences.iter().filter_map(|preference| preference.spread.as_ref());
        let spreads: Vec<String> =
            spreads.map(|spread| format!("spread={}", spread.spread_descriptor)).collect();
        if !spreads.is_empty() {
            self.line(format_args!(" Preferences:   [{}]", spreads.join(" ")));
        }
        if *max_replicas > 0 {
            self.line(format_args!(" Max Replicas Per Node:   {max_replicas}"));
        }
    }

    fn pace(&mut self, title: &str, word: &str, config: Option<&UpdateConfig>) {
        let Some(UpdateConfig { parallelism, delay, failure_action, monitor, max_failure_ratio, order }) =
            config
        else {
            return;
        };
        self.line(format_args!("{title}:\n Parallelism:\t{parallelism}"));
        if *delay != 0 {
            self.line(format_args!(" Delay:\t\t{}", units::go_span(*delay)));
        }
        self.line(format_args!(" On failure:\t{failure_action}"));
        self.line(format_args!(" Monitoring Period: {}", units::go_span(*monitor)));
        self.line(format_args!(" Max failure ratio: {max_failure_ratio}"));
        let gap = if word == "Update" { "      " } else { "    " };
        self.line(format_args!(" {word} order:{gap}{order}"));
    }

    fn container(&mut self, container: &ContainerSpec) {
        self.line(format_args!("ContainerSpec:\n Image:\t\t{}", container.image));
        if !container.args.is_empty() {
            self.line(format_args!(" Args:\t\t{} ", container.args.join(" ")));
        }
        if !container.env.is_empty() {
            self.line(format_args!(" Env:\t\t{} ", container.env.join(" ")));
        }
        if !container.dir.is_empty() {
            self.line(format_args!(" Dir:\t\t{}", container.dir));
        }
        if let Some(init) = container.init {
            self.line(format_args!(" Init:\t\t{init}"));
        }
        if !container.user.is_empty() {
            self.line(format_args!(" User: {}", container.user));
        }
    }

    fn confinement(&mut self, container: &ContainerSpec) {
        let ContainerSpec { capability_add, capability_drop, sysctls, ulimits, .. } = container;
        if !capability_add.is_empty() || !capability_drop.is_empty() {
            self.line("Capabilities:");
        }
        for (what, words) in [("Add", capability_add), ("Drop", capability_drop)] {
            if !words.is_empty() {
                self.line(format_args!(" {what}: {}", words.join(", ")));
            }
        }
        if !sysctls.is_empty() {
            self.line("SysCtls:");
            sysctls.iter().for_each(|(key, value)| self.line(format_args!(" {key}: {value}")));
        }
        if !ulimits.is_empty() {
            self.line("Ulimits:");
            ulimits
                .iter()
                .for_each(|one| self.line(format_args!(" {}: {}:{}", one.name, one.soft, one.hard)));
        }
    }

    fn files(&mut self, container: &ContainerSpec) {
        if !container.mounts.is_empty() {
            self.line("Mounts:");
        }
        for mount in &container.mounts {
            self.line(format_args!(" Target:\t{}\n  Source:\t{}", mount.target, mount.source));
            self.line(format_args!("  ReadOnly:\t{}\n  Type:\t\t{}", mount.read_only, mount.r#type));
        }
        let configs = container.configs.iter().map(|one| (one.file.as_ref(), &one.config_name));
        let secrets = container.secrets.iter().map(|one| (one.file.as_ref(), &one.secret_name));
        let shown = |title: &str,
                     files: &mut dyn Iterator<
            Item = (Option<&api::spec::reference::FileTarget>, &String),
        >| {
            let target = |(file, source): (Option<&api::spec::reference::FileTarget>, &String)| {
                let name = file.map(|file| file.name.as_str()).unwrap_or_default();
                format!(" Target:\t{name}\n  Source:\t{source}\n")
            };
            let lines: String = files.map(target).collect();
            if lines.is_empty() { lines } else { format!("{title}:\n{lines}") }
        };
        self.text.push_str(&shown("Configs", &mut configs.into_iter()));
        self.text.push_str(&shown("Secrets", &mut secrets.into_iter()));
    }

    fn resources(&mut self, resources: Option<&ResourceRequirements>) {
        let Some(resources) = resources else { return };
        self.line("Resources:");
        if let Some(reserved) = &resources.reservations
            && (reserved.nano_cpus > 0 || reserved.memory_bytes > 0)
        {
            self.line(" Reservations:");
            self.amount(reserved.nano_cpus, reserved.memory_bytes);
        }
        if let Some(limits) = &resources.limits
            && (limits.nano_cpus > 0 || limits.memory_bytes > 0 || limits.pids > 0)
        {
            self.line(" Limits:");
            self.amount(limits.nano_cpus, limits.memory_bytes);
            if limits.pids > 0 {
                self.line(format_args!("  PIDs:\t\t{}", limits.pids));
            }
        }
    }

    fn amount(&mut self, nano_cpus: i64, memory: i64) {
        if nano_cpus > 0 {
            self.line(format_args!("  CPU:\t\t{}", nano_cpus as f64 / 1e9));
        }
        if memory > 0 {
            self.line(format_args!("  Memory:\t{}", units::binary_size(memory as f64)));
        }
    }

    fn health(&mut self, health: &HealthConfig, follows_port: bool) {
        if follows_port {
            self.text.truncate(self.text.trim_end_matches('\n').len());
            self.line(" ");
        }
        let HealthConfig { test, interval, timeout, start_period, retries, .. } = health;
        self.line(format_args!(" Healthcheck:\n  Interval = {}", units::go_span(*interval)));
        self.line(format_args!("  Retries = {retries}"));
        self.line(format_args!("  StartPeriod =\t{}", units::go_span(*start_period)));
        self.line(format_args!("  Timeout =\t{}", units::go_span(*timeout)));
        if !test.is_empty() {
            self.line("  Tests:");
            let words = test.iter().map(|word| format!("\t Test = {word}"));
            self.line(format_args!("{} ", words.collect::<Vec<_>>().join("\n")));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recorded_service_becomes_a_page() {
        let service: Service = api::read(
            br#"{"ID":"x0wk","Spec":{"Name":"full","Labels":{"l":"1"},"Mode":{"Replicated":{"Replicas":1}},
            "TaskTemplate":{"ContainerSpec":{"Image":"busybox:test","Args":["sleep","99"],"Env":["A=1","B=2"],"Init":true,
            "CapabilityAdd":["CAP_NET_ADMIN"],"Ulimits":[{"Name":"nofile","Soft":10,"Hard":20}],
            "Mounts":[{"Type":"bind","Source":"/tmp","Target":"/t","ReadOnly":true}],
            "Secrets":[{"SecretName":"key","File":{"Name":"key"}}],
            "Healthcheck":{"Test":["CMD-SHELL","true"],"Interval":5000000000,"Retries":2}},
            "Placement":{"Constraints":["node.role==manager"],"MaxReplicas":2},
            "Resources":{"Limits":{"NanoCPUs":500000000,"MemoryBytes":67108864,"Pids":10}}},
            "UpdateConfig":{"Parallelism":2,"Delay":1000000000,"FailureAction":"pause","Monitor":5000000000,"Order":"stop-first"},
            "EndpointSpec":{"Mode":"vip"}},
            "Endpoint":{"Ports":[{"Protocol":"tcp","TargetPort":80,"PublishedPort":8081,"PublishMode":"ingress"}]}}"#,
        )
        .unwrap();
        let expected = "\nID:\t\tx0wk\nName:\t\tfull\nLabels:\n l=1\nService Mode:\tReplicated\n Replicas:\t1\n\
            Placement:\n Constraints:\t[node.role==manager]\n Max Replicas Per Node:   2\n\
            UpdateConfig:\n Parallelism:\t2\n Delay:\t\t1s\n On failure:\tpause\n Monitoring Period: 5s\n \
            Max failure ratio: 0\n Update order:      stop-first\n\
            ContainerSpec:\n Image:\t\tbusybox:test\n Args:\t\tsleep 99 \n Env:\t\tA=1 B=2 \n Init:\t\ttrue\n\
            Capabilities:\n Add: CAP_NET_ADMIN\nUlimits:\n nofile: 10:20\n\
            Mounts:\n Target:\t/t\n  Source:\t/tmp\n  ReadOnly:\ttrue\n  Type:\t\tbind\n\
            Secrets:\n Target:\tkey\n  Source:\tkey\n\
            Resources:\n Limits:\n  CPU:\t\t0.5\n  Memory:\t64MiB\n  PIDs:\t\t10\n\
            Networks: back \nEndpoint Mode:\tvip\n\
            Ports:\n PublishedPort = 8081\n  Protocol = tcp\n  TargetPort = 80\n  PublishMode = ingress \n \
            Healthcheck:\n  Interval = 5s\n  Retries = 2\n  StartPeriod =\t0s\n  Timeout =\t0s\n  \
            Tests:\n\t Test = CMD-SHELL\n\t Test = true \n";
        assert_eq!(page(&service, &["back".to_owned()]), expected);
    }
}
