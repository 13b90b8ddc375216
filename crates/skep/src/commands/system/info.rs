//! `skep system info`, `skep info`: what the daemon is and has.

use std::fmt::Write;

use anyhow::Result;
use api::swarm::{Swarm, SwarmInfo};
use api::system as shape;
use clap::Args;
use model::Duration;
use serde_json::Value;

use crate::output::{inspect, units};
use crate::session::Session;

/// Show what the daemon is and has
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  skep info\n  skep info --format '{{.Swarm.LocalNodeState}}'")]
pub(crate) struct Info {
    /// Show it by a template, or as `json`
    #[arg(short, long, value_name = "TEMPLATE")]
    format: Option<String>,
}

impl Info {
    pub(crate) async fn run(self, session: &mut Session) -> Result<()> {
        let value: Value = session.client.get("/info").await?;
        if let Some(format) = self.format {
            return session.line(inspect::one(&format, &value)?);
        }
        let info: shape::Info = serde_json::from_value(value)?;
        session.line(page(&info))?;
        let told = info.warnings.iter().chain(&info.swarm.warnings);
        told.for_each(|warning| eprintln!("{warning}"));
        Ok(())
    }
}

/// The page, in the order that docker's CLI has; the last line is ended by whoever prints it.
fn page(info: &shape::Info) -> String {
    let mut page = Page(format!("Client: skep\n Version:    {}\n\nServer:\n", env!("CARGO_PKG_VERSION")));
    page.pair(1, "Containers", info.containers);
    page.pair(2, "Running", info.containers_running);
    page.pair(2, "Paused", info.containers_paused);
    page.pair(2, "Stopped", info.containers_stopped);
    page.pair(1, "Images", info.images);
    page.pair(1, "Server Version", &info.server_version);
    page.pair(1, "Storage Driver", &info.driver);
    info.driver_status.iter().for_each(|[what, value]| page.pair(2, what, value));
    page.pair(1, "Logging Driver", &info.logging_driver);
    page.pair(1, "Cgroup Driver", &info.cgroup_driver);
    page.pair(1, "Cgroup Version", &info.cgroup_version);
    page.word(1, "Plugins:");
    page.pair(2, "Volume", info.plugins.volume.join(" "));
    page.pair(2, "Network", info.plugins.network.join(" "));
    page.pair(2, "Log", info.plugins.log.join(" "));
    page.swarm(&info.swarm);
    page.word(1, "Security Options:");
    info.security_options.iter().for_each(|option| page.security(option));
    page.pair(1, "Kernel Version", &info.kernel_version);
    page.pair(1, "Operating System", &info.operating_system);
    page.pair(1, "OSType", &info.os_type);
    page.pair(1, "Architecture", &info.architecture);
    page.pair(1, "CPUs", info.n_cpu);
    page.pair(1, "Total Memory", units::binary_size(info.mem_total as f64));
    page.pair(1, "Name", &info.name);
    page.pair(1, "ID", &info.id);
    page.pair(1, "Docker Root Dir", &info.docker_root_dir);
    page.pair(1, "Debug Mode", info.debug);
    info.labels.iter().for_each(|label| page.pair(1, "Label", label));
    page.pair(1, "Experimental", info.experimental_build);
    page.pair(1, "Live Restore Enabled", info.live_restore_enabled);
    page.0.trim_end().to_owned()
}

/// Lines, each as far from the edge as it is deep.
struct Page(String);

impl Page {
    fn word(&mut self, depth: usize, word: &str) {
        writeln!(self.0, "{}{word}", " ".repeat(depth)).expect("a string takes everything");
    }

    fn pair(&mut self, depth: usize, what: &str, value: impl std::fmt::Display) {
        self.word(depth, &format!("{what}: {value}"));
    }

    fn swarm(&mut self, swarm: &SwarmInfo) {
        self.pair(1, "Swarm", &swarm.local_node_state);
        if matches!(swarm.local_node_state.as_str(), "inactive" | "locked") {
            return;
        }
        self.pair(2, "NodeID", &swarm.node_id);
        if !swarm.error.is_empty() {
            self.pair(2, "Error", &swarm.error);
        }
        self.pair(2, "Is Manager", swarm.control_available);
        if let Some(cluster) =
            swarm.cluster.as_ref().filter(|_| swarm.control_available && swarm.error.is_empty())
        {
            self.pair(2, "ClusterID", &cluster.id);
            self.pair(2, "Managers", swarm.managers);
            self.pair(2, "Nodes", swarm.nodes);
            self.settings(cluster);
        }
        self.pair(2, "Node Address", &swarm.node_addr);
        if !swarm.remote_managers.is_empty() {
            self.word(2, "Manager Addresses:");
            let mut managers: Vec<&str> =
                swarm.remote_managers.iter().map(|peer| peer.addr.as_str()).collect();
            managers.sort_unstable();
            managers.iter().for_each(|addr| self.word(3, addr));
        }
    }

    fn settings(&mut self, cluster: &Swarm) {
        let span = |nanos: i64| api::time::phrase(Duration::from_nanos(nanos.unsigned_abs()));
        let spec = &cluster.spec;
        self.pair(2, "Data Path Port", cluster.data_path_port);
        self.word(2, "Orchestration:");
        let kept = spec.orchestration.task_history_retention_limit.unwrap_or_default();
        self.pair(3, "Task History Retention Limit", kept);
        self.word(2, "Raft:");
        self.pair(3, "Snapshot Interval", spec.raft.snapshot_interval);
        self.pair(3, "Number of Old Snapshots to Retain", spec.raft.keep_old_snapshots.unwrap_or_default());
        self.pair(3, "Heartbeat Tick", spec.raft.heartbeat_tick);
        self.pair(3, "Election Tick", spec.raft.election_tick);
        self.word(2, "Dispatcher:");
        self.pair(3, "Heartbeat Period", span(spec.dispatcher.heartbeat_period));
        self.word(2, "CA Configuration:");
        self.pair(3, "Expiry Duration", span(spec.ca_config.node_cert_expiry));
        self.pair(3, "Force Rotate", spec.ca_config.force_rotate);
        if !spec.ca_config.external_cas.is_empty() {
            self.word(3, "External CAs:");
            spec.ca_config.external_cas.iter().for_each(|ca| self.pair(4, &ca.protocol, &ca.url));
        }
        self.pair(2, "Autolock Managers", spec.encryption_config.auto_lock_managers);
        self.pair(2, "Root Rotation In Progress", cluster.root_rotation_in_progress);
    }

    /// `name=seccomp,profile=builtin`
    fn security(&mut self, option: &str) {
        for (key, value) in option.split(',').filter_map(|pair| pair.split_once('=')) {
            match key {
                "name" => self.word(2, value),
                "profile" => self.pair(3, "Profile", value),
                _ => self.pair(3, key, value),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recorded_answer_becomes_a_page() {
        let info: shape::Info = api::read(
            br#"{"Containers":2,"ContainersRunning":1,"Driver":"overlay2","DriverStatus":[["Backing Filesystem","extfs"]],
            "SecurityOptions":["name=seccomp,profile=builtin"],"NCPU":2,"MemTotal":1073741824,"Name":"vm",
            "Swarm":{"NodeID":"n1","NodeAddr":"10.0.0.1","LocalNodeState":"active","ControlAvailable":true,
            "RemoteManagers":[{"NodeID":"n1","Addr":"10.0.0.1:2377"}],"Nodes":2,"Managers":1,
            "Cluster":{"ID":"c1","Spec":{"Dispatcher":{"HeartbeatPeriod":5000000000}}}}}"#,
        )
        .unwrap();
        let page = page(&info);
        for part in [
            "\nServer:\n Containers: 2\n  Running: 1\n",
            "\n Storage Driver: overlay2\n  Backing Filesystem: extfs\n",
            "\n Swarm: active\n  NodeID: n1\n  Is Manager: true\n  ClusterID: c1\n  Managers: 1\n  Nodes: 2\n",
            "\n  Dispatcher:\n   Heartbeat Period: 5 seconds\n",
            "\n  Manager Addresses:\n   10.0.0.1:2377\n Security Options:\n  seccomp\n   Profile: builtin\n",
            "\n CPUs: 2\n Total Memory: 1GiB\n Name: vm\n",
        ] {
            assert!(page.contains(part), "{part}\nis not in\n{page}");
        }
    }
}
