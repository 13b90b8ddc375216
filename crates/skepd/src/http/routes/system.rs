//! The daemon itself: alive, of which version, on what machine.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use api::swarm::{Swarm, SwarmInfo};
use api::system::{AuthStatus, Component, Info, Version, VersionPlatform};
use api::volume::{UsageData, Volume};
use api::{ApiError, ApiVersion};
use axum::Router;
use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, PRAGMA};
use axum::response::Response;
use axum::routing::{get, post};
use runtime::container::Phase;
use serde_json::json;

use crate::daemon::Daemon;
use crate::http::error::Answer;
use crate::http::request::{MaybeJson, Query, Spoken};
use crate::http::routes::containers::Measured;
use crate::http::routes::{Shared, containers, swarm, volumes};
use crate::http::{older, respond};
use crate::machine::Machine;
use crate::standing::{LOCKED, Standing};

pub(super) fn routes() -> Router<Arc<Daemon>> {
    Router::new()
        .route("/_ping", get(ping))
        .route("/version", get(version))
        .route("/info", get(info))
        .route("/auth", post(auth))
        .route("/system/df", get(disk_usage))
}

async fn ping(State(daemon): Shared) -> Response {
    let mut response = Response::new(axum::body::Body::from("OK"));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, no-store, must-revalidate"));
    headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
    headers.insert("swarm", HeaderValue::from_static(daemon.node.standing().ping_word()));
    headers.insert("builder-version", HeaderValue::from_static("1"));
    response
}

async fn version() -> Response {
    let Machine { kernel_version, .. } = Machine::read();
    let version = env!("CARGO_PKG_VERSION").to_owned();
    let details = [
        ("ApiVersion", ApiVersion::MAX.to_string()),
        ("Arch", arch().to_owned()),
        ("Experimental", "false".to_owned()),
        ("KernelVersion", kernel_version.clone()),
        ("MinAPIVersion", ApiVersion::MIN.to_string()),
        ("Os", "linux".to_owned()),
    ];
    let engine = Component {
        name: "Engine".to_owned(),
        version: version.clone(),
        details: details.map(|(key, value)| (key.to_owned(), value)).into(),
    };
    respond::json(&Version {
        platform: VersionPlatform { name: "skep".to_owned() },
        components: vec![engine],
        version,
        api_version: ApiVersion::MAX.to_string(),
        min_api_version: ApiVersion::MIN.to_string(),
        git_commit: String::new(),
        go_version: "none: it is Rust".to_owned(),
        os: "linux".to_owned(),
        arch: arch().to_owned(),
        kernel_version,
        experimental: false,
        build_time: String::new(),
    })
}

/// The processor in the words of Go.
fn arch() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

async fn info(State(daemon): Shared, Spoken(version): Spoken) -> Answer {
    let machine = Machine::read();
    let config = &daemon.config;
    let swarm = swarm_info(&daemon.node.standing());
    let images = daemon.images.list(&Default::default(), &Default::default())?.len() as u64;
    let all = daemon.containers.list();
    let count = |test: fn(&Phase) -> bool| all.iter().filter(|record| test(&record.phase)).count() as u64;
    let shown = Info {
        id: daemon.id.clone(),
        containers: all.len() as u64,
        containers_running: count(|phase| matches!(phase, Phase::Running(_))),
        containers_paused: count(|phase| matches!(phase, Phase::Paused(_))),
        containers_stopped: count(|phase| !matches!(phase, Phase::Running(_) | Phase::Paused(_))),
        images,
        driver: "overlay2".to_owned(),
        driver_status: vec![["Backing Filesystem".to_owned(), machine.filesystem(&config.data_root)]],
        plugins: api::system::PluginsInfo {
            volume: vec!["local".to_owned()],
            network: ["bridge", "host", "null", "overlay"].map(str::to_owned).into(),
            authorization: Vec::new(),
            log: ["json-file", "local", "none"].map(str::to_owned).into(),
        },
        ipv4_forwarding: machine.forwards,
        n_events_listener: daemon.events.listeners() as u64,
        system_time: api::Time::from(host::clock::now()).to_string(),
        logging_driver: config.log_driver.name.clone(),
        cgroup_driver: "cgroupfs".to_owned(),
        index_server_address: "https://index.docker.io/v1/".to_owned(),
        registry_config: registries(&config.insecure_registries),
        generic_resources: config.generic_resources.iter().map(Into::into).collect(),
        docker_root_dir: config.data_root.display().to_string(),
        labels: config.labels.iter().map(|(key, value)| format!("{key}={value}")).collect(),
        server_version: env!("CARGO_PKG_VERSION").to_owned(),
        runtimes: daemon.containers.runtime().into_iter().map(as_runtime).collect(),
        default_runtime: containers::runtime_name(&daemon),
        live_restore_enabled: true,
        init_binary: "skep-supervise".to_owned(),
        security_options: vec!["name=seccomp,profile=builtin".to_owned()],
        warnings: swarm.warnings.clone(),
        swarm,
        ..machine.info()
    };
    Ok(respond::json(&older::info(&shown, version)))
}

fn as_runtime(program: PathBuf) -> (String, api::system::Runtime) {
    let name = program.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    (name, api::system::Runtime { path: program.display().to_string(), runtime_args: Vec::new() })
}

/// Images, containers and volumes with their sizes, or only those kinds that are asked for; builds take no room, since
/// there are none.
async fn disk_usage(State(daemon): Shared, Spoken(version): Spoken, query: Query) -> Answer {
    let kinds: Vec<&str> = query.all("type").collect();
    if let Some(unknown) = kinds.iter().find(|kind| !KINDS.contains(kind)) {
        return Err(ApiError::invalid(format!("unknown object type: {unknown}")).into());
    }
    let wanted = |kind: &str| kinds.is_empty() || kinds.contains(&kind);
    let usage = if wanted("image") { Some(daemon.images.usage(&daemon.image_uses())?) } else { None };
    let containers = match wanted("container") {
        true => Some(containers::summaries(&daemon, &daemon.containers.list(), Measured::Yes).await),
        false => None,
    };
    let volumes = if wanted("volume") { Some(volumes_used(&daemon).await) } else { None };
    Ok(respond::json(&json!({
        "LayersSize": usage.as_ref().map_or(0, |usage| usage.layers_size),
        "Images": usage.map(|usage| usage.images),
        "Containers": containers.map(|containers| older::containers(&containers, version)),
        "Volumes": volumes,
        "BuildCache": wanted("build-cache").then(Vec::<String>::new),
        "BuilderSize": 0,
    })))
}

/// What may take room.
const KINDS: [&str; 4] = ["container", "image", "volume", "build-cache"];

async fn volumes_used(daemon: &Daemon) -> Vec<Volume> {
    let mut shown = Vec::new();
    for volume in daemon.containers.volumes().list() {
        let ref_count = daemon.containers.users_of_volume(&volume.name).len() as i64;
        let bytes = volumes::bytes(daemon, &volume.name).await;
        let size = bytes.map_or(-1, |bytes| i64::try_from(bytes).unwrap_or(i64::MAX));
        shown.push(Volume { usage_data: Some(UsageData { ref_count, size }), ..volumes::shown(volume) });
    }
    shown
}

fn registries(insecure: &[String]) -> api::system::RegistryServices {
    let official = api::system::IndexInfo {
        name: "docker.io".to_owned(),
        mirrors: Vec::new(),
        secure: true,
        official: true,
    };
    let index = |name: &String| {
        let info =
            api::system::IndexInfo { name: name.clone(), secure: false, official: false, ..official.clone() };
        (name.clone(), info)
    };
    let mut index_configs: BTreeMap<_, _> = insecure.iter().map(index).collect();
    index_configs.insert("docker.io".to_owned(), official);
    api::system::RegistryServices {
        insecure_registry_cidrs: vec!["127.0.0.0/8".to_owned()],
        index_configs,
        mirrors: Vec::new(),
    }
}

fn swarm_info(standing: &Standing) -> SwarmInfo {
    let facts = standing.facts();
    let mut info = SwarmInfo {
        node_id: facts.node_id.map(|id| id.to_string()).unwrap_or_default(),
        node_addr: facts.addr,
        local_node_state: standing.word().to_owned(),
        remote_managers: facts.managers,
        ..SwarmInfo::default()
    };
    match standing {
        Standing::Expired => "certificate expired".clone_into(&mut info.error),
        Standing::Broken(_, error) => error.clone_into(&mut info.error),
        Standing::Manager(_, manager) => {
            let state = manager.book.state();
            info.control_available = true;
            info.nodes = state.nodes.len() as u64;
            info.managers = state.nodes.iter().filter(|node| node.manager_status.is_some()).count() as u64;
            let cluster = state.cluster();
            info.cluster = cluster.map(|cluster| Swarm::without_tokens(cluster, swarm::tls_info(cluster)));
            if info.managers == 2 {
                info.warnings.push(TWO_MANAGERS.to_owned());
            }
        }
        Standing::Locked(_) => LOCKED.clone_into(&mut info.error),
        Standing::Inactive | Standing::Pending(_) | Standing::Worker(_) => {}
    }
    info
}

const TWO_MANAGERS: &str = "WARNING: Running Swarm in a two-manager configuration. This configuration provides\n\
     \x20        no fault tolerance, and poses a high risk to lose control over the cluster.\n\
     \x20        Refer to https://docs.docker.com/engine/swarm/admin_guide/ to configure the\n\
     \x20        Swarm for fault-tolerance.";

/// Credentials are not tried here: the registry judges them when they are used.
async fn auth(MaybeJson(auth): MaybeJson<api::image::RegistryAuth>) -> Answer {
    if auth.username.is_empty() && auth.identitytoken.is_empty() && auth.auth.is_empty() {
        return Err(ApiError::invalid("username is required").into());
    }
    let status = "Login accepted; the registry checks it at the next pull".to_owned();
    Ok(respond::json(&AuthStatus { status, identity_token: String::new() }))
}
