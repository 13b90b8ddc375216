//! `skep secret …` and `skep config …`: bytes for tasks. The two differ in a word, in who may see the bytes, and in
//! that only secrets may be held elsewhere.

use std::io::{IsTerminal, Read};

use anyhow::{Context, Result, bail};
use api::base64::Base64;
use api::meta::{Created, DriverConfig};
use api::secret::{Secret as Shape, SecretSpec};
use clap::{Args, Subcommand};
use serde_json::Value;

use super::inspecting::Paging;
use super::listing::Listing;
use crate::client::Client;
use crate::options::values::pairs;
use crate::output::format::{Column, Format, Row, labels, row};
use crate::output::units;
use crate::session::Session;

/// Manage secrets
#[derive(Debug, Subcommand)]
pub(crate) enum Secret {
    /// Make a secret out of a file or of standard input
    #[command(after_help = "Examples:\n  printf hunter2 | skep secret create password -\n  \
                            skep secret create --label zone=north key key.pem")]
    Create(CreateSecret),
    /// List secrets
    #[command(
        visible_alias = "list",
        after_help = "Filters: id, label, name\n\nExample:\n  skep secret ls --filter label=zone"
    )]
    Ls(Listing),
    /// Show everything about secrets but their bytes
    #[command(after_help = "Example:\n  skep secret inspect --pretty password")]
    Inspect(Inspect),
    /// Remove secrets
    #[command(visible_alias = "remove", after_help = "Example:\n  skep secret rm password")]
    Rm(Remove),
}

impl Secret {
    pub(crate) async fn run(self, session: &mut Session) -> Result<()> {
        match self {
            Self::Create(command) => command.run(session).await,
            Self::Ls(listing) => list(session, &listing, Kind::Secret).await,
            Self::Inspect(command) => command.run(session, Kind::Secret).await,
            Self::Rm(command) => command.run(session, Kind::Secret).await,
        }
    }
}

/// Manage configs
#[derive(Debug, Subcommand)]
pub(crate) enum Config {
    /// Make a config out of a file or of standard input
    #[command(after_help = "Examples:\n  skep config create site nginx.conf\n  \
                            envsubst < site.tmpl | skep config create --label zone=north site -")]
    Create(CreateConfig),
    /// List configs
    #[command(
        visible_alias = "list",
        after_help = "Filters: id, label, name\n\nExample:\n  skep config ls --filter label=zone"
    )]
    Ls(Listing),
    /// Show everything about configs
    #[command(after_help = "Example:\n  skep config inspect --pretty site")]
    Inspect(Inspect),
    /// Remove configs
    #[command(visible_alias = "remove", after_help = "Example:\n  skep config rm site")]
    Rm(Remove),
}

impl Config {
    pub(crate) async fn run(self, session: &mut Session) -> Result<()> {
        match self {
            Self::Create(command) => command.run(session).await,
            Self::Ls(listing) => list(session, &listing, Kind::Config).await,
            Self::Inspect(command) => command.run(session, Kind::Config).await,
            Self::Rm(command) => command.run(session, Kind::Config).await,
        }
    }
}

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Secret,
    Config,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::Secret => "secret",
            Self::Config => "config",
        }
    }

    fn path(self, name: &str) -> String {
        format!("/{}s/{name}", self.word())
    }

    fn format(self) -> &'static Format {
        match self {
            Self::Secret => &SECRETS,
            Self::Config => &CONFIGS,
        }
    }
}

const COLUMNS: &[Column] = &[
    Column { field: "ID", head: "ID" },
    Column { field: "Name", head: "NAME" },
    Column { field: "Driver", head: "DRIVER" },
    Column { field: "CreatedAt", head: "CREATED" },
    Column { field: "UpdatedAt", head: "UPDATED" },
    Column { field: "Labels", head: "LABELS" },
];
const SECRETS: Format =
    Format { key: "ID", plain: &["ID", "Name", "Driver", "CreatedAt", "UpdatedAt"], columns: COLUMNS };
const CONFIGS: Format =
    Format { key: "ID", plain: &["ID", "Name", "CreatedAt", "UpdatedAt"], columns: COLUMNS };

/// What both are made of.
#[derive(Debug, Args)]
struct Making {
    /// A label, KEY=VALUE
    #[arg(short, long, value_name = "LABEL")]
    label: Vec<String>,
    /// Who expands its bytes for each task, such as golang
    #[arg(long, value_name = "DRIVER")]
    template_driver: Option<String>,
}

impl Making {
    fn spec(self, name: String, data: Vec<u8>) -> SecretSpec {
        let driver = |name| DriverConfig { name, ..DriverConfig::default() };
        SecretSpec {
            name,
            labels: pairs(&self.label),
            data: Base64(data),
            driver: None,
            templating: self.template_driver.map(driver),
        }
    }
}

/// Make a secret out of a file or of standard input
#[derive(Debug, Args)]
pub(crate) struct CreateSecret {
    /// Its name
    name: String,
    /// The file; `-` is standard input
    #[arg(value_name = "FILE|-")]
    file: Option<String>,
    /// Who holds its bytes, if not the swarm
    #[arg(short, long, value_name = "DRIVER")]
    driver: Option<String>,
    #[command(flatten)]
    making: Making,
}

impl CreateSecret {
    async fn run(self, session: &mut Session) -> Result<()> {
        let data = match (&self.driver, &self.file) {
            (Some(_), Some(_)) => bail!("When using secret driver secret data must be empty"),
            (Some(_), None) => Vec::new(),
            (None, None) => bail!("secret file is required"),
            (None, Some(file)) => read(file)?,
        };
        let mut spec = self.making.spec(self.name, data);
        spec.driver = self.driver.map(|name| DriverConfig { name, ..DriverConfig::default() });
        let made: Created = session.client.post("/secrets/create", &spec).await?;
        session.line(made.id)
    }
}

/// Make a config out of a file or of standard input
#[derive(Debug, Args)]
pub(crate) struct CreateConfig {
    /// Its name
    name: String,
    /// The file; `-` is standard input
    #[arg(value_name = "FILE|-")]
    file: String,
    #[command(flatten)]
    making: Making,
}

impl CreateConfig {
    async fn run(self, session: &mut Session) -> Result<()> {
        let spec = self.making.spec(self.name, read(&self.file)?);
        let made: Created = session.client.post("/configs/create", &spec).await?;
        session.line(made.id)
    }
}

fn read(file: &str) -> Result<Vec<u8>> {
    if file != "-" {
        return std::fs::read(file).with_context(|| format!("error reading from {file}"));
    }
    let mut input = std::io::stdin();
    if input.is_terminal() {
        eprintln!("(reading from standard input; end it with Ctrl-D)");
    }
    let mut bytes = Vec::new();
    input.read_to_end(&mut bytes).context("error reading from STDIN")?;
    Ok(bytes)
}

async fn list(session: &mut Session, listing: &Listing, kind: Kind) -> Result<()> {
    let mut all: Vec<Shape> = listing.ask(session, &format!("/{}s", kind.word())).await?;
    all.sort_by(|one, other| one.spec.name.cmp(&other.spec.name));
    listing.show(session, kind.format(), &all.iter().map(|one| line(one, kind)).collect::<Vec<_>>())
}

fn line(one: &Shape, kind: Kind) -> Row {
    let [shown, whole] = labels(&one.spec.labels);
    let mut line = row([
        ("ID", one.id.clone().into()),
        ("Name", one.spec.name.clone().into()),
        ("CreatedAt", units::since(one.created_at).into()),
        ("UpdatedAt", units::since(one.updated_at).into()),
        shown,
        whole,
    ]);
    if kind == Kind::Secret {
        line.insert("Driver".to_owned(), driver(one).into());
    }
    line
}

fn driver(one: &Shape) -> String {
    one.spec.driver.as_ref().map(|driver| driver.name.clone()).unwrap_or_default()
}

/// Show everything about some
#[derive(Debug, Args)]
pub(crate) struct Inspect {
    /// Which, by id or name
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,
    #[command(flatten)]
    paging: Paging,
}

impl Inspect {
    async fn run(self, session: &mut Session, kind: Kind) -> Result<()> {
        let ask = async |session: &Session, name: &str| Ok(session.client.get(&kind.path(name)).await?);
        let page = async |_: &mut Session, value: Value| Ok(page(&serde_json::from_value(value)?, kind));
        self.paging.show(session, &self.names, ask, page).await
    }
}

fn page(one: &Shape, kind: Kind) -> String {
    let Shape { id, created_at, updated_at, spec, .. } = one;
    let (gap, late_gap) = match kind {
        Kind::Secret => ("              ", "        "),
        Kind::Config => ("\t\t\t", "            \t"),
    };
    let mut text = format!("ID:{gap}{id}\nName:{gap}{}\n", spec.name);
    if !spec.labels.is_empty() {
        text.push_str("Labels:\n");
    }
    for (key, value) in &spec.labels {
        let sign = if value.is_empty() { "" } else { "=" };
        text.push_str(&format!(" - {key}{sign}{value}\n"));
    }
    if kind == Kind::Secret {
        text.push_str(&format!("Driver:            {}\n", driver(one)));
    }
    for (what, at) in [("Created at:", created_at), ("Updated at:", updated_at)] {
        text.push_str(&format!("{what}{late_gap}{}\n", units::date(*at)));
    }
    if kind == Kind::Config {
        text.push_str(&format!("Data:\n{}\n", String::from_utf8_lossy(&spec.data.0)));
    }
    // The last line is ended by whoever prints the page.
    text.truncate(
        text.trim_end_matches('\n').len() + usize::from(kind == Kind::Config && spec.data.0.ends_with(b"\n")),
    );
    text
}

/// Remove some
#[derive(Debug, Args)]
pub(crate) struct Remove {
    /// Which, by id or name
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,
}

impl Remove {
    async fn run(self, session: &mut Session, kind: Kind) -> Result<()> {
        let remove = async |client: &Client, name: &str| Ok(client.delete(&kind.path(name)).await?);
        session.each(&self.names, remove).await
    }
}
