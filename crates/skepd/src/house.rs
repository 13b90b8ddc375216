//! All parts of the daemon, built in order and closed in reverse.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use host::shutdown::Shutdown;
use model::Duration;
use network::{Instance, Network, NetworkConfig};
use runtime::container::{Containers, RuntimeConfig};
use runtime::image::{Images, Registries};
use tracing::warn;

use crate::config::Config;
use crate::connect::Connector;
use crate::daemon::Daemon;
use crate::events::Events;
use crate::executor::ContainerExecutor;
use crate::http::server::Server;
use crate::memory;
use crate::node::Node;
use crate::standing::{NodeHandle, Standing};

/// The daemon's parts.
pub(crate) struct House {
    /// The API and what follows events.
    doors: Shutdown,
    /// The membership in a swarm.
    membership: Shutdown,
    /// The network's name server.
    ground: Shutdown,
    containers: Containers,
    network: Network,
}

/// How long the API waits for the swarm when the daemon starts.
const SETTLE_MAX: Duration = Duration::from_secs(20);
/// How long each part may take to close.
const CLOSE_MAX: Duration = Duration::from_secs(10);

impl House {
    /// Builds everything from the ground up; the API answers when this returns.
    pub(crate) async fn build(config: Config) -> Result<Self> {
        let (doors, membership, ground) = (Shutdown::new(), Shutdown::new(), Shutdown::new());
        let server = Server::bind(&config.listeners, &config.group).await?;
        make_roots(&config)?;
        let registries = Registries { insecure: config.insecure_registries.clone(), ..Registries::default() };
        let images =
            Images::open_with(&config.data_root.join("images"), registries).context("opening the images")?;
        let id = machine_id(&config)?;
        let network =
            Network::start(network_config(&config, &id)?, &ground).await.context("starting the network")?;
        let containers =
            Containers::open(runtime_config(&config)?).await.context("taking up the containers")?;
        let connector = Connector::new(containers.clone(), network.clone());
        ground.spawn(connector.clone().follow(ground.token().clone()));

        let executor = ContainerExecutor::new(
            &config,
            images.clone(),
            containers.clone(),
            network.clone(),
            connector.clone(),
        );
        let executor = Arc::new(executor.context("making room for secrets in memory")?);
        let (node, handle) = Node::new(&config, executor);
        membership.spawn(node.run(membership.token().clone()));
        settled(&handle).await;
        let daemon = Daemon {
            config,
            id,
            images,
            containers: containers.clone(),
            network: network.clone(),
            connector,
            node: handle,
            events: Arc::new(Events::new()),
        };
        server.serve(Arc::new(daemon), &doors);
        Ok(Self { doors, membership, ground, containers, network })
    }

    /// Closes everything from the roof down. Containers go on.
    pub(crate) async fn close(self) {
        for (part, what) in
            [(&self.membership, "the membership"), (&self.doors, "the API"), (&self.ground, "the ground")]
        {
            if !part.finish(CLOSE_MAX).await {
                warn!("{what} did not close in time");
            }
        }
        self.containers.close().await;
        self.network.stop().await;
    }
}

/// Waits until a member of a swarm is back in it, so that the first who asks is not sent away; but not for ever.
async fn settled(node: &NodeHandle) {
    let mut standing = node.watch();
    let back = standing.wait_for(|standing| !matches!(standing, Standing::Pending(_)));
    if tokio::time::timeout(SETTLE_MAX, back).await.is_err() {
        warn!("the swarm is not back yet; the API answers meanwhile");
    }
}

fn make_roots(config: &Config) -> Result<()> {
    for folder in [&config.data_root, &config.exec_root] {
        let made = host::files::make_folder(folder, host::files::Access::Public);
        made.with_context(|| format!("making {}", folder.display()))?;
    }
    // Each start of a container makes a dozen files there; and nothing of it must outlast a start of the machine. What a
    // daemon has left on a disk is still in use.
    let is_new = std::fs::read_dir(&config.exec_root).is_ok_and(|mut entries| entries.next().is_none());
    if is_new {
        memory::ensure(&config.exec_root)
            .with_context(|| format!("putting {} into memory", config.exec_root.display()))?;
    }
    Ok(())
}

/// A text that stays the same for this data root: drawn once.
fn machine_id(config: &Config) -> Result<String> {
    let path = config.data_root.join("engine-id");
    let kept = host::files::read_if_there(&path).with_context(|| format!("reading {}", path.display()))?;
    if let Some(id) = kept.and_then(|bytes| String::from_utf8(bytes).ok()) {
        return Ok(id);
    }
    let bytes: [u8; 16] = host::chance::bytes().context("asking the kernel for chance")?;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let id = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-");
    let (access, durability) = (host::files::Access::Public, host::files::Durability::Synced);
    let written = host::files::replace(&path, id.as_bytes(), access, durability);
    written.with_context(|| format!("writing {}", path.display()))?;
    Ok(id)
}

fn network_config(config: &Config, id: &str) -> Result<NetworkConfig> {
    let subnet = config.bip.as_deref().map(|text| text.parse().with_context(|| format!("bip: \"{text}\"")));
    Ok(NetworkConfig {
        instance: instance(config, id),
        exec_root: config.exec_root.clone(),
        subnet: subnet.transpose()?,
        machine: id.to_owned(),
        resolv_conf: resolv_conf(config)?,
    })
}

/// Whom containers' names are asked of that no container has: this machine's name servers, or those that are set.
fn resolv_conf(config: &Config) -> Result<PathBuf> {
    if config.dns.is_empty() {
        return Ok(PathBuf::from("/etc/resolv.conf"));
    }
    let path = config.exec_root.join("resolv.conf");
    let lines: String = config.dns.iter().map(|address| format!("nameserver {address}\n")).collect();
    let (access, durability) = (host::files::Access::Public, host::files::Durability::Cached);
    let written = host::files::replace(&path, lines.as_bytes(), access, durability);
    written.with_context(|| format!("writing {}", path.display()))?;
    Ok(path)
}

/// The daemon of a normal host has the plain name; one with another exec root, a name of its own.
fn instance(config: &Config, id: &str) -> Instance {
    if config.exec_root == Path::new("/run/skep") {
        return Instance::default();
    }
    format!("sk{}", &id[..8]).parse().expect("letters and digits name an instance")
}

fn runtime_config(config: &Config) -> Result<RuntimeConfig> {
    let program = std::env::current_exe().context("finding this program")?;
    Ok(RuntimeConfig {
        data_root: config.data_root.clone(),
        exec_root: config.exec_root.clone(),
        supervise: program.with_file_name("skep-supervise"),
        oci_runtime: config.runtime.clone().map(PathBuf::from),
        init: None,
        seccomp_profile: None,
        cgroup_parent: "/skep".to_owned(),
    })
}
