//! `skep volume create` and `update`.

use anyhow::{Result, bail};
use api::volume::{Volume, VolumeCreate};
use clap::{Args, ValueEnum};
use hyper::Method;
use serde_json::{Value, json};

use crate::options::availability::Availability;
use crate::options::values::{bytes, pairs, word};
use crate::session::Session;

/// Make a volume
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  skep volume create data\n  \
                        skep volume create --opt type=tmpfs --opt device=tmpfs --opt o=size=100m scratch")]
pub(crate) struct Create {
    /// Its name; chosen if not given
    #[arg(value_name = "VOLUME")]
    volume: Option<String>,
    /// Its name, as an older form of this command has it
    #[arg(long, value_name = "NAME", hide = true)]
    name: Option<String>,
    /// Who shall hold it
    #[arg(short, long, value_name = "DRIVER", default_value = "local")]
    driver: String,
    /// A label, KEY=VALUE
    #[arg(long, value_name = "LABEL")]
    label: Vec<String>,
    /// An option of the driver, KEY=VALUE
    #[arg(short, long, value_name = "OPTION")]
    opt: Vec<String>,
    #[command(flatten)]
    cluster: Cluster,
}

/// What makes it a volume of the swarm.
#[derive(Debug, Args)]
#[group(skip)]
struct Cluster {
    /// Whether tasks may use it
    #[arg(long, value_name = "WORD", default_value = "active", help_heading = "Volumes of the swarm")]
    availability: Availability,
    /// Which group it belongs to
    #[arg(long, value_name = "NAME", help_heading = "Volumes of the swarm")]
    group: Option<String>,
    /// At most so large
    #[arg(long, value_name = "BYTES", value_parser = bytes, help_heading = "Volumes of the swarm")]
    limit_bytes: Option<i64>,
    /// At least so large
    #[arg(long, value_name = "BYTES", value_parser = bytes, help_heading = "Volumes of the swarm")]
    required_bytes: Option<i64>,
    /// On how many nodes at once: single, multi
    #[arg(long, value_name = "WORD", default_value = "single", help_heading = "Volumes of the swarm")]
    scope: Scope,
    /// A secret for its driver, KEY=SECRET
    #[arg(long, value_name = "PAIR", help_heading = "Volumes of the swarm")]
    secret: Vec<String>,
    /// How several tasks share it: none, readonly, onewriter, all
    #[arg(long, value_name = "WORD", default_value = "none", help_heading = "Volumes of the swarm")]
    sharing: Sharing,
    /// Rather here, SEGMENT=NAME,…
    #[arg(long, value_name = "PLACE", help_heading = "Volumes of the swarm")]
    topology_preferred: Vec<String>,
    /// Only here, SEGMENT=NAME,…
    #[arg(long, value_name = "PLACE", help_heading = "Volumes of the swarm")]
    topology_required: Vec<String>,
    /// How tasks see it: mount, block
    #[arg(long, value_name = "WORD", help_heading = "Volumes of the swarm")]
    r#type: Option<Access>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Scope {
    Single,
    Multi,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Sharing {
    None,
    Readonly,
    Onewriter,
    All,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Access {
    Mount,
    Block,
}

impl Cluster {
    /// The spec, if it shall be a volume of the swarm.
    fn spec(self) -> Option<Value> {
        if self.r#type.is_none() && self.group.is_none() {
            return None;
        }
        let secret = |word: &String| {
            let (key, secret) = crate::options::values::pair(word);
            json!({"Key": key, "Secret": secret})
        };
        let place = |word: &String| {
            let segments: Vec<String> = word.split(',').map(str::to_owned).collect();
            json!({"Segments": pairs(&segments)})
        };
        let places = |words: &[String]| words.iter().map(place).collect::<Vec<_>>();
        let mut mode = json!({"Scope": word(self.scope), "Sharing": word(self.sharing)});
        match self.r#type.unwrap_or(Access::Block) {
            Access::Mount => mode["MountVolume"] = json!({}),
            Access::Block => mode["BlockVolume"] = json!({}),
        }
        Some(json!({
            "Group": self.group.unwrap_or_default(),
            "AccessMode": mode,
            "Secrets": self.secret.iter().map(secret).collect::<Vec<_>>(),
            "AccessibilityRequirements": {
                "Requisite": places(&self.topology_required), "Preferred": places(&self.topology_preferred),
            },
            "CapacityRange": {
                "RequiredBytes": self.required_bytes.unwrap_or_default(), "LimitBytes": self.limit_bytes.unwrap_or_default(),
            },
            "Availability": word(self.availability),
        }))
    }
}

impl Create {
    pub(crate) async fn run(self, session: &mut Session) -> Result<()> {
        let name = match (self.volume, self.name) {
            (Some(_), Some(_)) => bail!(
                "conflicting options: cannot specify a volume-name through both --name and as a positional arg"
            ),
            (name, other) => name.or(other).unwrap_or_default(),
        };
        let wish = VolumeCreate {
            name,
            driver: self.driver,
            driver_opts: pairs(&self.opt),
            labels: pairs(&self.label),
            cluster_volume_spec: self.cluster.spec(),
        };
        let made: Volume = session.client.post("/volumes/create", &wish).await?;
        session.line(made.name)
    }
}

/// Change a volume of the swarm
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  skep volume update --availability drain data")]
pub(crate) struct Update {
    /// Which, by name
    #[arg(value_name = "VOLUME")]
    volume: String,
    /// Whether tasks may use it
    #[arg(long, value_name = "WORD")]
    availability: Option<Availability>,
}

impl Update {
    pub(crate) async fn run(self, session: &mut Session) -> Result<()> {
        let found: Value = session.client.get(&format!("/volumes/{}", self.volume)).await?;
        let Some(cluster) = found.get("ClusterVolume").filter(|cluster| !cluster.is_null()) else {
            bail!("Can only update cluster volumes");
        };
        let mut spec = cluster["Spec"].clone();
        if let Some(availability) = self.availability {
            spec["Availability"] = word(availability).into();
        }
        let index = cluster["Version"]["Index"].as_u64().unwrap_or_default();
        let path = format!("/volumes/{}?version={index}", self.volume);
        session.client.send(Method::PUT, &path, serde_json::to_vec(&json!({"Spec": spec}))?).await?;
        Ok(())
    }
}
