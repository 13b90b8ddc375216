//! `skep container run` and `create`.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use api::container::{ContainerCreate, ContainerCreated, WaitResponse};
use api::host_config::LogConfig;
use clap::{Args, ValueEnum};
use http_body_util::BodyExt;
use hyper::Method;

use super::converse::{Manner, Parting, converse};
use crate::commands::image::registry::{Show, fetch, tagged};
use crate::ended::Ended;
use crate::options::devices::Devices;
use crate::options::health::Health;
use crate::options::keys::DetachKeys;
use crate::options::limits::Limits;
use crate::options::policy::PolicyWord;
use crate::options::process::Process;
use crate::options::reach::Reach;
use crate::options::rights::Rights;
use crate::options::storage::Storage;
use crate::options::values::pairs;
use crate::session::{Session, escaped};
use crate::terminal;

/// What a new container is like.
#[derive(Debug, Args)]
pub(crate) struct Wish {
    /// The image
    #[arg(value_name = "IMAGE")]
    image: String,
    /// The command, or the arguments of the entrypoint
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "COMMAND")]
    command: Vec<String>,
    /// Its name; chosen if not given
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
    name: String,
    /// Which streams to speak with: stdin, stdout, stderr; all of them if none is named
    #[arg(short, long, value_name = "STREAM", ignore_case = true)]
    attach: Vec<Stream>,
    /// Write its id into this file
    #[arg(long, value_name = "FILE")]
    cidfile: Option<PathBuf>,
    /// Where its output goes
    #[arg(long, value_name = "DRIVER", default_value = "", hide_default_value = true)]
    log_driver: String,
    /// An option of the log driver, KEY=VALUE
    #[arg(long, value_name = "OPTION")]
    log_opt: Vec<String>,
    /// For which platform
    #[arg(long, value_name = "OS/ARCHITECTURE")]
    platform: Option<String>,
    /// When to fetch the image: always, missing, never
    #[arg(long, value_name = "WORD", default_value = "missing")]
    pull: Pull,
    /// Show no progress while the image is fetched
    #[arg(short, long)]
    quiet: bool,
    /// When it is started again after its end: no, on-failure[:COUNT], always, unless-stopped
    #[arg(long, value_name = "POLICY", default_value = "no")]
    restart: PolicyWord,
    /// Remove it when it ends, with its volumes that have no name
    #[arg(long)]
    rm: bool,
    #[command(flatten)]
    process: Process,
    #[command(flatten)]
    health: Health,
    #[command(flatten)]
    limits: Limits,
    #[command(flatten)]
    rights: Rights,
    #[command(flatten)]
    devices: Devices,
    #[command(flatten)]
    storage: Storage,
    #[command(flatten)]
    reach: Reach,
    /// Print help
    #[arg(long, action = clap::ArgAction::Help)]
    help: Option<bool>,
}

/// One stream of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Stream {
    Stdin,
    Stdout,
    Stderr,
}

/// When an image is fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Pull {
    Always,
    Missing,
    Never,
}

/// A request to make a container, and what else there is to know about it.
struct Order {
    request: ContainerCreate,
    image: String,
    name: String,
    platform: Option<String>,
    pull: Pull,
    show: Show,
    cidfile: Option<PathBuf>,
}

impl Wish {
    fn order(self, is_detached: bool) -> Result<Order> {
        if self.rm && !matches!(self.restart.0.name.as_str(), "" | "no") {
            bail!("conflicting options: cannot specify both --restart and --rm");
        }
        if is_detached && !self.attach.is_empty() {
            bail!("conflicting options: cannot specify both --attach and --detach");
        }
        if self.log_driver == "none" && !self.log_opt.is_empty() {
            bail!("invalid logging opts for driver none");
        }
        let speaks_with = |stream: Stream| match self.attach.as_slice() {
            [] => stream != Stream::Stdin || self.process.interactive,
            some => some.contains(&stream),
        };
        let attached =
            [Stream::Stdin, Stream::Stdout, Stream::Stderr].map(|stream| !is_detached && speaks_with(stream));
        let mut create = ContainerCreate::default();
        if self.process.tty {
            // What asks for the size right after its start must not be too early.
            create.host_config.console_size = terminal::size().unwrap_or_default();
        }
        self.process.apply(&mut create);
        let config = &mut create.config;
        [config.attach_stdin, config.attach_stdout, config.attach_stderr] = attached;
        config.stdin_once = config.open_stdin && config.attach_stdin;
        config.image.clone_from(&self.image);
        config.cmd = Some(self.command).filter(|words| !words.is_empty());
        self.health.apply(&mut config.healthcheck)?;
        let host = &mut create.host_config;
        host.auto_remove = self.rm;
        host.log_config = LogConfig { r#type: self.log_driver, config: pairs(&self.log_opt) };
        host.restart_policy = self.restart.0;
        self.limits.apply(host)?;
        self.rights.apply(host)?;
        self.devices.apply(host);
        self.storage.apply(&mut create);
        self.reach.apply(&mut create)?;
        Ok(Order {
            request: create,
            image: self.image,
            name: self.name,
            platform: self.platform,
            pull: self.pull,
            show: self.quiet.into(),
            cidfile: self.cidfile,
        })
    }
}

impl Order {
    /// Makes the container, and fetches the image before if that is wished or it is not there.
    async fn send(&self, session: &mut Session) -> Result<String> {
        if let Some(file) = &self.cidfile {
            check_cidfile(file)?;
        }
        let mut path = format!("/containers/create?name={}", escaped(&self.name));
        if let Some(platform) = &self.platform {
            path.push_str(&format!("&platform={}", escaped(platform)));
        }
        if self.pull == Pull::Always {
            self.fetch(session).await?;
        }
        let made: ContainerCreated = match session.client.post(&path, &self.request).await {
            Err(error) if error.is_not_found() && self.pull == Pull::Missing => {
                if self.show == Show::Steps {
                    eprintln!("Unable to find image '{}' locally", tagged(&self.image));
                }
                self.fetch(session).await?;
                session.client.post(&path, &self.request).await?
            }
            answer => answer?,
        };
        made.warnings.iter().for_each(|warning| eprintln!("WARNING: {warning}"));
        if let Some(file) = &self.cidfile {
            std::fs::write(file, &made.id).with_context(|| {
                format!("failed to write the container ID to the file: {}", file.display())
            })?;
        }
        Ok(made.id)
    }

    async fn fetch(&self, session: &Session) -> Result<()> {
        let name = tagged(&self.image);
        fetch(session, &mut std::io::stderr(), &name, self.platform.as_deref(), self.show).await
    }
}

/// A file that is there belongs to another container.
fn check_cidfile(file: &Path) -> Result<()> {
    if file.exists() {
        let shown = file.display();
        bail!("container ID file found, make sure the other container isn't running or delete {shown}");
    }
    Ok(())
}

/// Make a container, but do not start it
#[derive(Debug, Args)]
#[command(
    disable_help_flag = true,
    after_help = "Example:\n  skep create --name web --publish 8080:80 --volume data:/data nginx"
)]
pub(crate) struct Create {
    #[command(flatten)]
    wish: Wish,
}

impl Create {
    pub(crate) async fn run(self, session: &mut Session) -> Result<()> {
        let made = async {
            let order = self.wish.order(true)?;
            order.send(session).await
        };
        let id = made.await.map_err(|error| Ended::refused(&error))?;
        session.line(id)
    }
}

/// Make a container and start it
#[derive(Debug, Args)]
#[command(
    disable_help_flag = true,
    after_help = "Examples:\n  skep run --rm -it busybox sh\n  \
                  skep run -d --name web -p 8080:80 --restart unless-stopped nginx"
)]
pub(crate) struct Run {
    /// Do not wait for it: print its id
    #[arg(short, long)]
    detach: bool,
    /// Which keys leave it alone: letters, or ctrl- and a letter
    #[arg(long, value_name = "KEYS")]
    detach_keys: Option<DetachKeys>,
    /// Hand signals on to it, if it has no terminal
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true,
          default_value = "true", default_missing_value = "true", action = clap::ArgAction::Set)]
    sig_proxy: bool,
    #[command(flatten)]
    wish: Wish,
}

impl Run {
    pub(crate) async fn run(self, session: &mut Session) -> Result<()> {
        let Self { detach, detach_keys, sig_proxy, wish } = self;
        let (input, terminal) = (wish.process.interactive, wish.process.tty);
        let refused = |error| Ended::refused(&error);
        let order = wish.order(detach).map_err(refused)?;
        let speaks = !detach && super::attach::wants_input(&order.request.config, input)?;
        let id = order.send(session).await.map_err(refused)?;
        let place = format!("/containers/{id}");
        if detach {
            start(session, &place).await.map_err(refused)?;
            return session.line(id);
        }
        let config = &order.request.config;
        let path = format!(
            "{place}/attach?stream=1&stdout={}&stderr={}&stdin={}",
            u8::from(config.attach_stdout),
            u8::from(config.attach_stderr),
            u8::from(config.attach_stdin)
        );
        let connection = session.client.hijack(&path, &()).await.map_err(|error| refused(error.into()))?;
        // Who begins to wait before the start misses no end, however soon it comes.
        let condition = if order.request.host_config.auto_remove { "removed" } else { "next-exit" };
        let waiting = session
            .client
            .send(Method::POST, &format!("{place}/wait?condition={condition}"), Vec::new())
            .await?;
        start(session, &place).await.map_err(refused)?;
        let manner = Manner {
            input: speaks,
            terminal,
            place,
            keys: detach_keys.unwrap_or_default(),
            hands_signals_on: sig_proxy,
        };
        if converse(session, connection, manner).await? == Parting::Left {
            return Ok(());
        }
        let ended: WaitResponse = api::read(&waiting.into_body().collect().await?.to_bytes())?;
        Ok(Ended::like(ended.status_code)?)
    }
}

async fn start(session: &Session, place: &str) -> Result<()> {
    Ok(session.client.order(&format!("{place}/start")).await?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    #[command(disable_help_flag = true)]
    struct Words {
        #[command(flatten)]
        wish: Wish,
    }

    fn order(line: &str) -> Result<Order> {
        let words = std::iter::once("run").chain(line.split(' ')).chain(["web"]);
        Words::try_parse_from(words)?.wish.order(false)
    }

    /// Each flag, and where in the request it shows.
    const FLAGS: &[(&str, &str, &str)] = &[
        ("--add-host a:1.2.3.4", "/HostConfig/ExtraHosts", r#"["a:1.2.3.4"]"#),
        ("--annotation a=b", "/HostConfig/Annotations", r#"{"a": "b"}"#),
        ("-a stdout", "/AttachStderr", r#"false"#),
        ("--blkio-weight 10", "/HostConfig/BlkioWeight", r#"10"#),
        ("--cap-add a --cap-add b", "/HostConfig/CapAdd", r#"["a", "b"]"#),
        ("--cap-drop a", "/HostConfig/CapDrop", r#"["a"]"#),
        ("--cgroup-parent /x", "/HostConfig/CgroupParent", r#""/x""#),
        ("--cgroupns host", "/HostConfig/CgroupnsMode", r#""host""#),
        ("--cpu-period 5", "/HostConfig/CpuPeriod", r#"5"#),
        ("--cpu-quota 5", "/HostConfig/CpuQuota", r#"5"#),
        ("--cpu-rt-period 5", "/HostConfig/CpuRealtimePeriod", r#"5"#),
        ("--cpu-rt-runtime 5", "/HostConfig/CpuRealtimeRuntime", r#"5"#),
        ("-c 5", "/HostConfig/CpuShares", r#"5"#),
        ("--cpus 1.5", "/HostConfig/NanoCpus", r#"1500000000"#),
        ("--cpuset-cpus 0-1", "/HostConfig/CpusetCpus", r#""0-1""#),
        ("--cpuset-mems 0", "/HostConfig/CpusetMems", r#""0""#),
        ("--device /dev/null:r", "/HostConfig/Devices/0/CgroupPermissions", r#""r""#),
        ("--device-read-bps /dev/x:1k", "/HostConfig/BlkioDeviceReadBps/0/Rate", r#"1024"#),
        ("--device-write-iops /dev/x:7", "/HostConfig/BlkioDeviceWriteIOps/0/Rate", r#"7"#),
        ("--dns 1.1.1.1", "/HostConfig/Dns", r#"["1.1.1.1"]"#),
        ("--dns-option x", "/HostConfig/DnsOptions", r#"["x"]"#),
        ("--dns-opt x", "/HostConfig/DnsOptions", r#"["x"]"#),
        ("--dns-search x", "/HostConfig/DnsSearch", r#"["x"]"#),
        ("--domainname d", "/Domainname", r#""d""#),
        ("--entrypoint sh", "/Entrypoint", r#"["sh"]"#),
        ("-e A=1", "/Env", r#"["A=1"]"#),
        ("--expose 80", "/ExposedPorts", r#"{"80/tcp": {}}"#),
        ("--gpus all", "/HostConfig/DeviceRequests/0/Count", r#"-1"#),
        ("--group-add g", "/HostConfig/GroupAdd", r#"["g"]"#),
        ("--health-cmd x --health-interval 1s", "/Healthcheck/Interval", r#"1000000000"#),
        ("--no-healthcheck", "/Healthcheck/Test", r#"["NONE"]"#),
        ("-h host", "/Hostname", r#""host""#),
        ("--init", "/HostConfig/Init", r#"true"#),
        ("-i", "/OpenStdin", r#"true"#),
        ("-i", "/StdinOnce", r#"true"#),
        (
            "--ip 1.2.3.4 --network n",
            "/NetworkingConfig/EndpointsConfig/n/IPAMConfig/IPv4Address",
            r#""1.2.3.4""#,
        ),
        ("--ipc host", "/HostConfig/IpcMode", r#""host""#),
        ("-l a=b", "/Labels", r#"{"a": "b"}"#),
        (
            "--log-driver local --log-opt a=b",
            "/HostConfig/LogConfig",
            r#"{"Type": "local", "Config": {"a": "b"}}"#,
        ),
        (
            "--mac-address 02:00:00:00:00:01 --network n",
            "/NetworkingConfig/EndpointsConfig/n/MacAddress",
            r#""02:00:00:00:00:01""#,
        ),
        ("-m 64m", "/HostConfig/Memory", r#"67108864"#),
        ("--memory-reservation 1m", "/HostConfig/MemoryReservation", r#"1048576"#),
        ("--memory-swap -1", "/HostConfig/MemorySwap", r#"-1"#),
        ("--memory-swappiness 5", "/HostConfig/MemorySwappiness", r#"5"#),
        ("--mount type=tmpfs,dst=/t", "/HostConfig/Mounts/0/Target", r#""/t""#),
        ("--net host", "/HostConfig/NetworkMode", r#""host""#),
        ("--network-alias x --network n", "/NetworkingConfig/EndpointsConfig/n/Aliases", r#"["x"]"#),
        ("--oom-kill-disable", "/HostConfig/OomKillDisable", r#"true"#),
        ("--oom-score-adj -5", "/HostConfig/OomScoreAdj", r#"-5"#),
        ("--pid host", "/HostConfig/PidMode", r#""host""#),
        ("--pids-limit -1", "/HostConfig/PidsLimit", r#"-1"#),
        ("--privileged", "/HostConfig/Privileged", r#"true"#),
        ("-p 8080:80", "/HostConfig/PortBindings/80~1tcp/0/HostPort", r#""8080""#),
        ("-P", "/HostConfig/PublishAllPorts", r#"true"#),
        ("--read-only", "/HostConfig/ReadonlyRootfs", r#"true"#),
        ("--restart on-failure:3", "/HostConfig/RestartPolicy/MaximumRetryCount", r#"3"#),
        ("--rm", "/HostConfig/AutoRemove", r#"true"#),
        ("--runtime runc", "/HostConfig/Runtime", r#""runc""#),
        ("--security-opt no-new-privileges", "/HostConfig/SecurityOpt", r#"["no-new-privileges"]"#),
        ("--shm-size 1m", "/HostConfig/ShmSize", r#"1048576"#),
        ("--stop-signal INT", "/StopSignal", r#""INT""#),
        ("--stop-timeout 5", "/StopTimeout", r#"5"#),
        ("--storage-opt size=1g", "/HostConfig/StorageOpt", r#"{"size": "1g"}"#),
        ("--sysctl a=b", "/HostConfig/Sysctls", r#"{"a": "b"}"#),
        ("--tmpfs /run:size=1m", "/HostConfig/Tmpfs", r#"{"/run": "size=1m"}"#),
        ("-t", "/Tty", r#"true"#),
        ("--ulimit nofile=1:2", "/HostConfig/Ulimits/0/Hard", r#"2"#),
        ("-u me", "/User", r#""me""#),
        ("--userns host", "/HostConfig/UsernsMode", r#""host""#),
        ("--uts host", "/HostConfig/UTSMode", r#""host""#),
        ("-v v:/v:ro", "/HostConfig/Binds", r#"["v:/v:ro"]"#),
        ("-v /data", "/Volumes", r#"{"/data": {}}"#),
        ("--volume-driver d", "/HostConfig/VolumeDriver", r#""d""#),
        ("--volumes-from c", "/HostConfig/VolumesFrom", r#"["c"]"#),
        ("-w /x", "/WorkingDir", r#""/x""#),
    ];

    #[test]
    fn every_flag_is_heard() {
        for (line, pointer, expected) in FLAGS {
            let request = serde_json::to_value(order(line).unwrap().request).unwrap();
            assert_eq!(request.pointer(pointer), Some(&serde_json::from_str(expected).unwrap()), "{line}");
        }
        let order = order("--name n --platform linux/arm64 --pull always -q --cidfile /c").unwrap();
        assert_eq!((order.name.as_str(), order.platform.as_deref()), ("n", Some("linux/arm64")));
        assert!(order.pull == Pull::Always && order.show == Show::Nothing && order.cidfile.is_some());
    }

    #[test]
    fn bad_words_name_the_flag_or_the_rule() {
        for (line, rule) in [
            ("--rm --restart always", "conflicting options: cannot specify both --restart and --rm"),
            ("--log-driver none --log-opt a=b", "invalid logging opts for driver none"),
            ("--cpus 1 --cpu-quota 5", "--cpus and --cpu-period or --cpu-quota"),
            ("--no-healthcheck --health-cmd x", "--no-healthcheck conflicts with --health-* options"),
            ("--memory x", "'--memory <BYTES>': invalid size: 'x'"),
            ("--cpus x", "'--cpus <CPUS>': failed to parse x as a rational number"),
            ("--restart x", "'--restart <POLICY>': invalid restart policy"),
            ("--ulimit x", "'--ulimit <BOUND>': invalid ulimit argument: x"),
            ("--pull x", "'--pull <WORD>'"),
            ("-a x", "'--attach <STREAM>'"),
            ("--mount x", "'--mount <MOUNT>': invalid field 'x' must be a key=value pair"),
            ("--device a:b:c:d", "'--device <DEVICE>': invalid device specification"),
            ("--env-file /nonexistent", "'--env-file <FILE>': open /nonexistent"),
            ("--gpus x", "'--gpus <REQUEST>': invalid count (x)"),
        ] {
            let refusal = order(line).err().map(|error| error.to_string()).unwrap_or_default();
            assert!(refusal.contains(rule), "{line}: {refusal}");
        }
    }
}
