//! Waits until a service is as it was wished, and shows how far it is.
//!
//! In: a service's id. Out: on a terminal a bar for each task, in a pipe a line for each change; at the end
//! `verify: Service … converged`, or why it will not be. As docker's CLI does, it looks a few times a second: the
//! API has no word for "converged".

mod tally;

use std::collections::BTreeSet;
use std::io::{self, Write};

use anyhow::{Result, bail};
use api::filter::Filters;
use api::node::Node;
use api::service::{Service, UpdateStatus};
use api::task::Task;
use model::{Duration, Timestamp};

use self::tally::{Line, View};
use super::board::Board;
use crate::session::{Session, now, with_filters};

/// Between two looks at what comes about.
pub(crate) const LOOK_PERIOD: Duration = Duration::from_millis(200);
/// How long all must be as wished before it is believed, unless the service says otherwise.
const MONITOR: Duration = Duration::from_secs(5);

/// Whether progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Show {
    /// On standard output.
    Lines,
    /// Not at all.
    Nothing,
}

impl From<bool> for Show {
    fn from(is_quiet: bool) -> Self {
        if is_quiet { Self::Nothing } else { Self::Lines }
    }
}

/// Waits until all is as wished, or says why it will not be; `name` is how the person calls the service.
pub(crate) async fn converge(session: &Session, service: &str, name: &str, show: Show) -> Result<()> {
    let watching = watch(session, service, name, show);
    let given_up = tokio::select! {
        ended = watching => return ended,
        interrupted = tokio::signal::ctrl_c() => interrupted,
    };
    given_up?;
    if show == Show::Lines {
        println!("Operation continuing in background.\nUse `skep service ps {name}` to check progress.");
    }
    Ok(())
}

async fn watch(session: &Session, service: &str, name: &str, show: Show) -> Result<()> {
    let mut screen = Screen { board: Board::new(&io::stdout()), show };
    let mut is_rollback = false;
    let mut is_first = true;
    let mut stable_since: Option<Timestamp> = None;
    loop {
        let found: Service = session.client.get(&format!("/services/{service}")).await?;
        is_rollback = screen.turn(found.update_status.as_ref(), is_rollback)?;
        let monitor =
            found.spec.update_config.as_ref().map(|config| config.monitor).filter(|nanos| *nanos > 0);
        let monitor =
            monitor.and_then(|nanos| u64::try_from(nanos).ok()).map_or(MONITOR, Duration::from_nanos);
        if stable_since.is_some_and(|since| now().since(since) >= monitor) {
            return screen.say("verify", &format!("Service {name} converged"));
        }
        let (tasks, nodes) = (tasks(session, &found).await?, nodes(session).await?);
        let view = View { service: &found, tasks: &tasks, nodes: &nodes, is_rollback };
        if std::mem::take(&mut is_first) {
            screen.draw(&view.opening())?;
        }
        let tally = view.tally();
        screen.draw(&tally.lines)?;
        match (tally.is_done, stable_since) {
            (true, _) if tally::is_job(&found) => return screen.line("job complete", "job complete"),
            (true, _) => {
                let since = *stable_since.get_or_insert_with(now);
                let left = monitor.saturating_sub(now().since(since)).as_secs() + 1;
                let left = left.min(monitor.as_secs().max(1));
                screen
                    .say("verify", &format!("Waiting {left} seconds to verify that tasks are stable..."))?;
            }
            (false, Some(_)) => {
                stable_since = None;
                screen.say("verify", "Detected task failure")?;
            }
            (false, None) => {}
        }
        tokio::time::sleep(LOOK_PERIOD).await;
    }
}

/// The tasks that are as the service wishes.
async fn tasks(session: &Session, service: &Service) -> Result<Vec<Task>> {
    let mut filters = Filters::default();
    filters.add("service", service.id.clone());
    filters.add("_up-to-date", "true");
    Ok(session.client.get(&with_filters("/tasks", &filters)).await?)
}

/// The nodes that are up.
async fn nodes(session: &Session) -> Result<BTreeSet<String>> {
    let nodes: Vec<Node> = session.client.get("/nodes").await?;
    Ok(nodes.into_iter().filter(|node| node.status.state != "down").map(|node| node.id).collect())
}

/// Where progress is shown.
struct Screen {
    board: Board,
    show: Show,
}

impl Screen {
    /// Tells that an update turned back, or fails if it stands still; returns whether it goes back.
    fn turn(&mut self, status: Option<&UpdateStatus>, was_rollback: bool) -> Result<bool> {
        let Some(UpdateStatus { state, message, .. }) = status else { return Ok(was_rollback) };
        match state.as_str() {
            "paused" => bail!("service update paused: {message}"),
            "rollback_paused" => bail!("service rollback paused: {message}"),
            "updating" => Ok(false),
            "rollback_started" | "rollback_completed" => {
                if !was_rollback && !message.is_empty() {
                    self.say("rollback", message)?;
                }
                Ok(true)
            }
            _ => Ok(was_rollback),
        }
    }

    fn draw(&mut self, lines: &[Line]) -> Result<()> {
        for Line { name, text, bar: how_far } in lines {
            match how_far {
                None => self.say(name, text)?,
                Some((current, total)) if self.board.is_terminal() => {
                    self.say(name, &format!("{text} {}", self.board.bar(*current, *total)))?;
                }
                Some(_) => {}
            }
        }
        Ok(())
    }

    fn say(&mut self, name: &str, text: &str) -> Result<()> {
        self.line(name, &format!("{name}: {text}"))
    }

    fn line(&mut self, name: &str, text: &str) -> Result<()> {
        if self.show == Show::Lines {
            let mut out = io::stdout();
            self.board.put(&mut out, name, text)?;
            out.flush()?;
        }
        Ok(())
    }
}
