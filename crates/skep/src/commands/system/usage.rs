//! `skep system df`: what lies on the disk.

use anyhow::{Result, bail};
use api::container::ContainerSummary;
use api::image::ImageSummary;
use api::system::DiskUsage;
use api::volume::Volume;
use clap::Args;
use serde_json::Value;

use crate::commands::{container, image, volume};
use crate::output::format::{Column, Format, Row, row};
use crate::output::units::long_size;
use crate::output::width::Width;
use crate::session::Session;

/// Show what lies on the disk
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  skep system df\n  skep system df --verbose\n  skep system df --format '{{.Type}}: {{.Size}}'"
)]
pub(crate) struct Usage {
    /// Show it by a template, as a `table …` of it, or as `json`
    #[arg(long, value_name = "TEMPLATE")]
    format: Option<String>,
    /// Show each thing
    #[arg(short, long)]
    verbose: bool,
}

const SUMS: Format = Format {
    key: "Type",
    plain: &["Type", "TotalCount", "Active", "Size", "Reclaimable"],
    columns: &[
        Column { field: "Type", head: "TYPE" },
        Column { field: "TotalCount", head: "TOTAL" },
        Column { field: "Active", head: "ACTIVE" },
        Column { field: "Size", head: "SIZE" },
        Column { field: "Reclaimable", head: "RECLAIMABLE" },
    ],
};
const IMAGES: Format = Format {
    key: "ID",
    plain: &["Repository", "Tag", "ID", "CreatedSince", "Size", "SharedSize", "UniqueSize", "Containers"],
    columns: image::row::COLUMNS,
};
const CONTAINERS: Format = Format {
    key: "ID",
    plain: &["ID", "Image", "Command", "LocalVolumes", "Size", "RunningFor", "Status", "Names"],
    columns: container::row::COLUMNS,
};
const VOLUMES: Format = Format { key: "Name", plain: &["Name", "Links", "Size"], columns: volume::COLUMNS };

impl Usage {
    pub(crate) async fn run(self, session: &mut Session) -> Result<()> {
        let usage: DiskUsage = session.client.get("/system/df").await?;
        if !self.verbose {
            SUMS.write(&mut session.out, self.format.as_deref(), &sums(&usage))?;
            return Ok(());
        }
        match self.format.as_deref() {
            None | Some("" | "table") => each(session, &usage),
            Some("json") => session.line(crate::output::format::escaped(&whole(&usage))),
            Some(_) => bail!("the verbose flag cannot be used with a template"),
        }
    }
}

/// One row for each kind of thing.
fn sums(usage: &DiskUsage) -> Vec<Row> {
    let DiskUsage { layers_size, images, containers, volumes, .. } = usage;
    let used: Vec<&ImageSummary> = images.iter().filter(|image| image.containers > 0).collect();
    let own = |image: &&ImageSummary| image.size - image.shared_size.max(0);
    let idle: i64 = layers_size - used.iter().map(own).sum::<i64>();
    let live = |container: &&ContainerSummary| {
        matches!(container.state.as_str(), "running" | "paused" | "restarting")
    };
    let written = |container: &ContainerSummary| container.size_rw.unwrap_or_default();
    let bytes = |volume: &Volume| volume.usage_data.map_or(0, |usage| usage.size.max(0));
    let links = |volume: &&Volume| volume.usage_data.is_some_and(|usage| usage.ref_count > 0);
    let sum = |kind, total, active, size, idle| Sum { kind, total, active, size, idle };
    let all = [
        sum("Images", images.len(), used.len(), *layers_size, idle.max(0)),
        sum(
            "Containers",
            containers.len(),
            containers.iter().filter(live).count(),
            containers.iter().map(written).sum(),
            containers.iter().filter(|container| !live(container)).map(written).sum(),
        ),
        sum(
            "Local Volumes",
            volumes.len(),
            volumes.iter().filter(links).count(),
            volumes.iter().map(bytes).sum(),
            volumes.iter().filter(|volume| !links(volume)).map(bytes).sum(),
        ),
        // Nothing is built here.
        sum("Build Cache", 0, 0, 0, 0),
    ];
    all.iter().map(Sum::line).collect()
}

/// All things of one kind.
struct Sum {
    kind: &'static str,
    total: usize,
    /// So many are in use.
    active: usize,
    /// In bytes.
    size: i64,
    /// Bytes that could be freed.
    idle: i64,
}

impl Sum {
    fn line(&self) -> Row {
        let Self { kind, total, active, size, idle } = self;
        // The share is told of something, and always of images.
        let share = match (*kind, *size) {
            (_, 1..) => format!(" ({}%)", idle * 100 / size),
            ("Images", _) => " (0%)".to_owned(),
            _ => String::new(),
        };
        row([
            ("Type", (*kind).into()),
            ("TotalCount", total.to_string().into()),
            ("Active", active.to_string().into()),
            ("Size", long_size(*size as f64).into()),
            ("Reclaimable", format!("{}{share}", long_size(*idle as f64)).into()),
        ])
    }
}

fn rows(usage: &DiskUsage, width: Width) -> [Vec<Row>; 3] {
    [
        usage.images.iter().flat_map(|image| image::row::lines(image, width)).collect(),
        usage.containers.iter().map(|container| container::row::line(container, width)).collect(),
        usage.volumes.iter().map(volume::line).collect(),
    ]
}

/// A table for each kind of thing.
fn each(session: &mut Session, usage: &DiskUsage) -> Result<()> {
    let [images, containers, volumes] = rows(usage, Width::Short);
    for (title, format, rows) in [
        ("Images space usage:", &IMAGES, images),
        ("\nContainers space usage:", &CONTAINERS, containers),
        ("\nLocal Volumes space usage:", &VOLUMES, volumes),
    ] {
        session.line(format_args!("{title}\n"))?;
        format.write(&mut session.out, None, &rows)?;
    }
    session.line("\nBuild cache usage: 0B\n")?;
    session.line("CACHE ID   CACHE TYPE   SIZE      CREATED   LAST USED   USAGE     SHARED")
}

/// Everything on one line.
fn whole(usage: &DiskUsage) -> Value {
    let [images, containers, volumes] = rows(usage, Width::Whole)
        .map(|rows| Value::Array(rows.iter().map(crate::output::format::json).collect()));
    serde_json::json!({"Images": images, "Containers": containers, "Volumes": volumes, "BuildCache": []})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recorded_answer_is_summed_up() {
        let usage: DiskUsage = api::read(
            br#"{"LayersSize":3000000,"Images":[{"Id":"sha256:1","Size":2000000,"Containers":1},
            {"Id":"sha256:2","Size":1000000}],
            "Containers":[{"Id":"a","State":"running","SizeRw":5},{"Id":"b","State":"exited","SizeRw":15}],
            "Volumes":[{"Name":"v","UsageData":{"RefCount":0,"Size":1000}},{"Name":"w","UsageData":{"RefCount":1,"Size":-1}}]}"#,
        )
        .unwrap();
        let mut out = Vec::new();
        SUMS.write(&mut out, None, &sums(&usage)).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "TYPE            TOTAL     ACTIVE    SIZE      RECLAIMABLE\n\
             Images          2         1         3MB       1MB (33%)\n\
             Containers      2         1         20B       15B (75%)\n\
             Local Volumes   2         1         1kB       1kB (100%)\n\
             Build Cache     0         0         0B        0B\n"
        );
    }
}
