//! Work that tells how far it is while a client watches.
//!
//! In: the work. Out: an answer that streams its lines. The work is done as long as the client reads, and ends with
//! it. What fails before the first line is refused with a status, later it is the last line.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;

use axum::response::Response;
use futures_util::stream::unfold;
use runtime::image::{ImageError, Progress, ProgressLine};
use serde::Serialize;
use tokio::sync::mpsc;

use crate::http::error::Answer;
use crate::http::stream;

/// Lines that wait for the client.
const LINES_MAX: usize = 64;

/// One line of the stream.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Line {
    Progress(ProgressLine),
    Failure {
        #[serde(rename = "errorDetail")]
        detail: Detail,
        error: String,
    },
}

#[derive(Debug, Serialize)]
struct Detail {
    message: String,
}

impl From<ImageError> for Line {
    fn from(ImageError { kind: _, message }: ImageError) -> Self {
        Self::Failure { detail: Detail { message: message.clone() }, error: message }
    }
}

/// How work ends: well, or with a refusal.
type Ending = Result<(), ImageError>;

struct Watched {
    work: Option<Pin<Box<dyn Future<Output = Ending> + Send>>>,
    lines: mpsc::Receiver<ProgressLine>,
    waiting: VecDeque<Line>,
}

/// Does the work while its client watches.
pub(crate) async fn watched<W, F>(work: W) -> Answer
where
    W: FnOnce(Progress) -> F,
    F: Future<Output = Ending> + Send + 'static,
{
    let (sender, lines) = mpsc::channel(LINES_MAX);
    let work = work(Progress::to(sender));
    let mut watched = Watched { work: Some(Box::pin(work)), lines, waiting: VecDeque::new() };
    match watched.step().await {
        Some(Err(error)) => Err(error.into()),
        Some(Ok(line)) => {
            watched.waiting.push_front(line);
            Ok(watched.stream())
        }
        None => Ok(watched.stream()),
    }
}

impl Watched {
    fn stream(self) -> Response {
        stream::lines(unfold(self, |mut watched| async move {
            let line = match watched.step().await? {
                Ok(line) => line,
                Err(error) => Line::from(error),
            };
            Some((line, watched))
        }))
    }

    /// The next line or the refusal; `None` when all is said.
    async fn step(&mut self) -> Option<Result<Line, ImageError>> {
        loop {
            if let Some(line) = self.waiting.pop_front() {
                return Some(Ok(line));
            }
            let Some(work) = &mut self.work else {
                return self.lines.recv().await.map(|line| Ok(Line::Progress(line)));
            };
            tokio::select! {
                biased;
                Some(line) = self.lines.recv() => return Some(Ok(Line::Progress(line))),
                ending = work => {
                    self.work = None;
                    while let Ok(line) = self.lines.try_recv() {
                        self.waiting.push_back(Line::Progress(line));
                    }
                    match ending {
                        Ok(()) => {}
                        Err(error) if self.waiting.is_empty() => return Some(Err(error)),
                        Err(error) => self.waiting.push_back(Line::from(error)),
                    }
                }
            }
        }
    }
}
