//! Waits until a service is as it was wished, and shows how far it is.
//!
//! In: a service's id. Out: lines of progress, then `verify: Service … converged`, or why it will not be. As
//! docker's CLI does, it looks a few times a second: the API has no word for "converged".

use std::io::IsTerminal;
use std::io::Write;

use anyhow::{Result, bail};
use api::filter::Filters;
use api::service::Service;
use api::task::Task;
use model::Duration;

use crate::session::{Session, with_filters};

/// Between two looks.
const LOOK_PERIOD: Duration = Duration::from_millis(200);

/// Waits until all tasks run, or says why they will not.
pub(crate) async fn converge(session: &mut Session, service: &str, quiet: bool) -> Result<()> {
    let mut shown = String::new();
    loop {
        let now: Service = session.client.get(&format!("/services/{service}?status=true")).await?;
        if let Some(status) = &now.update_status {
            match status.state.as_str() {
                "paused" => bail!("service update paused: {}", status.message),
                "rollback_paused" => bail!("service rollback paused: {}", status.message),
                _ => {}
            }
        }
        let (running, wished) = counts(session, &now).await?;
        if !quiet {
            let line = format!("overall progress: {running} out of {wished} tasks");
            show(session, &line, &mut shown)?;
        }
        let updating = now
            .update_status
            .as_ref()
            .is_some_and(|status| matches!(status.state.as_str(), "updating" | "rollback_started"));
        if running >= wished && !updating {
            break;
        }
        tokio::time::sleep(LOOK_PERIOD).await;
    }
    if quiet { Ok(()) } else { session.line(format_args!("verify: Service {service} converged")) }
}

/// How many tasks are as they shall be, and how many shall be.
async fn counts(session: &Session, service: &Service) -> Result<(u64, u64)> {
    let mut filters = Filters::default();
    filters.add("service", service.id.clone());
    filters.add("_up-to-date", "true");
    let tasks: Vec<Task> = session.client.get(&with_filters("/tasks", &filters)).await?;
    let is_job = service.spec.mode.replicated_job.is_some() || service.spec.mode.global_job.is_some();
    let done = |task: &&Task| match is_job {
        true => task.status.state == "complete",
        false => task.status.state == "running" && task.desired_state == "running",
    };
    let running = tasks.iter().filter(done).count() as u64;
    let mode = &service.spec.mode;
    let wished = match (&mode.replicated, &mode.replicated_job) {
        (Some(replicated), _) => replicated.replicas.unwrap_or(1),
        (_, Some(job)) => job.total_completions.unwrap_or(1),
        _ => {
            tasks.iter().filter(|task| matches!(task.desired_state.as_str(), "running" | "complete")).count()
                as u64
        }
    };
    Ok((running, wished))
}

/// On a terminal one line that changes; in a pipe a line for each change.
fn show(session: &mut Session, line: &str, shown: &mut String) -> Result<()> {
    if line == shown {
        return Ok(());
    }
    if session.out.is_terminal() && !shown.is_empty() {
        write!(session.out, "\x1b[1A\x1b[2K")?;
    }
    session.line(line)?;
    line.clone_into(shown);
    Ok(())
}
