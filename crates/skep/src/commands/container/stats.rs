//! `skep container stats`: what containers use, as it changes.

use std::io::{IsTerminal, Write};

use anyhow::Result;
use api::container::ContainerSummary;
use api::stats::{BlkioStats, CpuStats, MemoryStats, NetworkStats, Stats as Reading};
use clap::Args;
use futures_util::future::join_all;
use model::Duration;

use crate::client::ClientError;
use crate::output::format::{Column, Format, Row, row};
use crate::output::units::{binary_size, size};
use crate::output::width::Width;
use crate::session::Session;

/// Show what containers use, as it changes
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  skep stats\n  skep stats --no-stream --format '{{.Name}}: {{.MemUsage}}' web"
)]
pub(crate) struct Stats {
    /// Which, by id or name; all that run if none is named
    #[arg(value_name = "CONTAINER")]
    containers: Vec<String>,
    /// Show ended ones as well
    #[arg(short, long)]
    all: bool,
    /// Show it by a template, as a `table …` of it, or as `json`
    #[arg(long, value_name = "TEMPLATE")]
    format: Option<String>,
    /// Show it once
    #[arg(long)]
    no_stream: bool,
    /// Show whole ids
    #[arg(long)]
    no_trunc: bool,
}

/// Between two readings; as long as the daemon takes for one.
const READING_PERIOD: Duration = Duration::from_secs(1);

const FORMAT: Format = Format {
    key: "ID",
    plain: &["ID", "Name", "CPUPerc", "MemUsage", "MemPerc", "NetIO", "BlockIO", "PIDs"],
    columns: &[
        Column { field: "Container", head: "CONTAINER" },
        Column { field: "ID", head: "CONTAINER ID" },
        Column { field: "Name", head: "NAME" },
        Column { field: "CPUPerc", head: "CPU %" },
        Column { field: "MemUsage", head: "MEM USAGE / LIMIT" },
        Column { field: "MemPerc", head: "MEM %" },
        Column { field: "NetIO", head: "NET I/O" },
        Column { field: "BlockIO", head: "BLOCK I/O" },
        Column { field: "PIDs", head: "PIDS" },
    ],
};

impl Stats {
    pub(crate) async fn run(self, session: &mut Session) -> Result<()> {
        if !self.containers.is_empty() {
            // A name that nobody has is an error from the start; one that goes away later is not.
            for name in &self.containers {
                let _: serde_json::Value = session.client.get(&format!("/containers/{name}/json")).await?;
            }
        }
        loop {
            let rows = self.look(session).await?;
            self.draw(session, &rows)?;
            if self.no_stream {
                return Ok(());
            }
        }
    }

    /// One reading of each; the daemon takes two, a second apart, so that it can tell processor time.
    async fn look(&self, session: &Session) -> Result<Vec<Row>> {
        let names = match self.containers.as_slice() {
            [] => self.listed(session).await?,
            named => named.to_vec(),
        };
        if names.is_empty() && !self.no_stream {
            tokio::time::sleep(READING_PERIOD).await;
        }
        let asked = names.iter().map(async |name| {
            let path = format!("/containers/{name}/stats?stream=false");
            (name, session.client.get::<Reading>(&path).await)
        });
        let mut rows = Vec::new();
        for (name, answer) in join_all(asked).await {
            match answer {
                Ok(reading) => rows.push(line(name, &reading, self.no_trunc.into())),
                Err(ClientError::Refused { .. }) => {} // It went away meanwhile.
                Err(error) => return Err(error.into()),
            }
        }
        Ok(rows)
    }

    async fn listed(&self, session: &Session) -> Result<Vec<String>> {
        let path = format!("/containers/json?all={}", u8::from(self.all));
        let containers: Vec<ContainerSummary> = session.client.get(&path).await?;
        Ok(containers.into_iter().map(|container| container.id).collect())
    }

    /// On a terminal the table takes the place of the one before.
    fn draw(&self, session: &mut Session, rows: &[Row]) -> Result<()> {
        let mut text = Vec::new();
        FORMAT.write(&mut text, self.format.as_deref(), rows)?;
        if self.no_stream || !session.out.is_terminal() {
            session.out.write_all(&text)?;
        } else {
            write!(session.out, "\x1b[H")?;
            for line in text.split_inclusive(|byte| *byte == b'\n') {
                session.out.write_all(line.trim_ascii_end())?;
                write!(session.out, "\x1b[K\r\n")?;
            }
            write!(session.out, "\x1b[J")?;
        }
        Ok(session.out.flush()?)
    }
}

fn line(name: &str, reading: &Reading, width: Width) -> Row {
    let Reading { read, cpu_stats, precpu_stats, memory_stats, blkio_stats, pids_stats, networks, .. } =
        reading;
    let id = width.id(&reading.id);
    let own_name = reading.name.trim_start_matches('/');
    // A container that does not run has no time at which it was read.
    if read.0.is_none() {
        let cells = ["CPUPerc", "MemUsage", "MemPerc", "NetIO", "BlockIO", "PIDs"];
        let mut row = row([("Container", name.into()), ("ID", id.into()), ("Name", own_name.into())]);
        for field in cells {
            let text = if matches!(field, "MemUsage" | "NetIO" | "BlockIO") { "-- / --" } else { "--" };
            row.insert(field.to_owned(), text.into());
        }
        return row;
    }
    let memory = used(memory_stats);
    let share = if memory_stats.limit == 0 { 0.0 } else { memory as f64 / memory_stats.limit as f64 * 100.0 };
    let (received, sent) = traffic(networks.values());
    let (bytes_read, written) = moved(blkio_stats);
    row([
        ("Container", name.into()),
        ("ID", id.into()),
        ("Name", own_name.into()),
        ("CPUPerc", format!("{:.2}%", processors(precpu_stats, cpu_stats)).into()),
        (
            "MemUsage",
            format!("{} / {}", binary_size(memory as f64), binary_size(memory_stats.limit as f64)).into(),
        ),
        ("MemPerc", format!("{share:.2}%").into()),
        ("NetIO", format!("{} / {}", size(received as f64), size(sent as f64)).into()),
        ("BlockIO", format!("{} / {}", size(bytes_read as f64), size(written as f64)).into()),
        ("PIDs", pids_stats.current.to_string().into()),
    ])
}

/// Its share of one processor between two readings, in percent; several processors make more than 100.
fn processors(before: &CpuStats, now: &CpuStats) -> f64 {
    let own = now.cpu_usage.total_usage.saturating_sub(before.cpu_usage.total_usage) as f64;
    let all = now.system_cpu_usage.saturating_sub(before.system_cpu_usage) as f64;
    let count = if now.online_cpus > 0 { now.online_cpus as usize } else { now.cpu_usage.percpu_usage.len() };
    if own > 0.0 && all > 0.0 { own / all * count as f64 * 100.0 } else { 0.0 }
}

/// Memory without the part of the file cache that could be given back at once.
fn used(MemoryStats { usage, stats, .. }: &MemoryStats) -> u64 {
    let cache = stats.get("total_inactive_file").or_else(|| stats.get("inactive_file"));
    cache.and_then(|cache| usage.checked_sub(*cache)).unwrap_or(*usage)
}

fn traffic<'a>(interfaces: impl Iterator<Item = &'a NetworkStats>) -> (u64, u64) {
    interfaces.fold((0, 0), |(received, sent), one| (received + one.rx_bytes, sent + one.tx_bytes))
}

fn moved(BlkioStats { io_service_bytes_recursive: entries, .. }: &BlkioStats) -> (u64, u64) {
    let sum = |letter: char| {
        let fits = |op: &str| op.to_ascii_lowercase().starts_with(letter);
        entries.iter().filter(|entry| fits(&entry.op)).map(|entry| entry.value).sum()
    };
    (sum('r'), sum('w'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recorded_reading_becomes_a_row() {
        let reading: Reading = api::read(
            br#"{"read":"2026-01-01T00:00:01Z","name":"/web","id":"0123456789abcdef","pids_stats":{"current":3},
            "cpu_stats":{"cpu_usage":{"total_usage":1500},"system_cpu_usage":20000,"online_cpus":2},
            "precpu_stats":{"cpu_usage":{"total_usage":500},"system_cpu_usage":10000},
            "memory_stats":{"usage":2097152,"limit":4194304,"stats":{"total_inactive_file":1048576}},
            "blkio_stats":{"io_service_bytes_recursive":[{"op":"Read","value":5000},{"op":"write","value":7}]},
            "networks":{"eth0":{"rx_bytes":1000,"tx_bytes":1},"eth1":{"rx_bytes":500}}}"#,
        )
        .unwrap();
        let mut out = Vec::new();
        FORMAT.write(&mut out, None, &[line("web", &reading, Width::Short)]).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "CONTAINER ID   NAME      CPU %     MEM USAGE / LIMIT   MEM %     NET I/O      BLOCK I/O   PIDS\n\
             0123456789ab   web       20.00%    1MiB / 4MiB         25.00%    1.5kB / 1B   5kB / 7B    3\n"
        );
    }

    #[test]
    fn what_does_not_run_uses_nothing() {
        let row = line("web", &Reading::default(), Width::Short);
        assert_eq!((&row["CPUPerc"], &row["MemUsage"]), (&"--".into(), &"-- / --".into()));
    }
}
