//! What is told while images are pulled, loaded and imported: the lines of Docker's progress stream.
//!
//! Telling never delays the work: whoever listens too slowly misses counters first, and lines at last.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use tokio::sync::mpsc;

use crate::image::digest::Digest;

/// One line of the stream.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ProgressLine {
    /// Text of its own, for `load`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream: Option<String>,
    /// What happens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// How far it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress_detail: Option<ProgressDetail>,
    /// The same as a bar.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress: Option<String>,
    /// To what: the short digest of a layer, or a tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// What came of it, for programs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aux: Option<PushResult>,
}

/// What a registry calls an image that was pushed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct PushResult {
    /// Its tag.
    pub tag: String,
    /// The digest of its manifest.
    pub digest: Digest,
    /// The bytes of its manifest.
    pub size: usize,
}

/// How far something is. Both absent where nothing can be counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ProgressDetail {
    /// Bytes done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current: Option<u64>,
    /// Bytes in all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
}

/// Where lines go. A mutex, since work of several threads tells; held for moments, never over an await.
#[derive(Clone, Debug, Default)]
pub struct Progress(Arc<Mutex<Vec<mpsc::Sender<ProgressLine>>>>);

impl Progress {
    /// To this listener.
    pub fn to(listener: mpsc::Sender<ProgressLine>) -> Self {
        Self(Arc::new(Mutex::new(vec![listener])))
    }

    /// To nobody.
    pub fn silent() -> Self {
        Self::default()
    }

    /// Tells those who listen there from now on what is told here.
    pub(crate) fn also_to(&self, other: &Self) {
        let listeners = other.listeners().clone();
        self.listeners().extend(listeners);
    }

    /// A line with nothing but its text.
    pub(crate) fn status(&self, text: impl Into<String>) {
        self.tell(ProgressLine { status: Some(text.into()), ..ProgressLine::default() });
    }

    /// A line about one thing.
    pub(crate) fn about(&self, id: &str, text: impl Into<String>) {
        self.tell(ProgressLine {
            status: Some(text.into()),
            id: Some(id.to_owned()),
            progress_detail: Some(ProgressDetail::default()),
            ..ProgressLine::default()
        });
    }

    /// A line about one thing that cannot be counted.
    pub(crate) fn headline(&self, id: &str, text: impl Into<String>) {
        self.tell(ProgressLine {
            status: Some(text.into()),
            id: Some(id.to_owned()),
            ..ProgressLine::default()
        });
    }

    /// What came of a push.
    pub(crate) fn pushed(&self, aux: PushResult) {
        let progress_detail = Some(ProgressDetail::default());
        self.tell(ProgressLine { aux: Some(aux), progress_detail, ..ProgressLine::default() });
    }

    /// A line of `load`.
    pub(crate) fn stream(&self, text: impl Into<String>) {
        self.tell(ProgressLine { stream: Some(text.into()), ..ProgressLine::default() });
    }

    /// How far one thing is; the first to be left out when the listener is slow.
    pub(crate) fn count(&self, id: &str, text: &str, current: u64, total: Option<u64>) {
        let slow = |listener: &mpsc::Sender<_>| listener.capacity() * 2 < listener.max_capacity();
        if self.listeners().iter().all(slow) {
            return;
        }
        self.tell(ProgressLine {
            status: Some(text.to_owned()),
            progress_detail: Some(ProgressDetail { current: Some(current), total }),
            progress: Some(bar(current, total)),
            id: Some(id.to_owned()),
            ..ProgressLine::default()
        });
    }

    fn tell(&self, line: ProgressLine) {
        for listener in self.listeners().iter() {
            // A full or closed channel is a listener who does not listen: that is theirs to decide.
            let _ = listener.try_send(line.clone());
        }
    }

    fn listeners(&self) -> MutexGuard<'_, Vec<mpsc::Sender<ProgressLine>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts bytes of one thing, and tells now and then.
pub(crate) struct Counter {
    progress: Progress,
    id: String,
    text: &'static str,
    total: Option<u64>,
    current: u64,
    told: u64,
}

impl Counter {
    pub(crate) fn new(progress: Progress, id: &str, text: &'static str, total: Option<u64>) -> Self {
        Self { progress, id: id.to_owned(), text, total, current: 0, told: 0 }
    }

    pub(crate) fn add(&mut self, bytes: usize) {
        self.current += bytes as u64;
        if self.current - self.told >= COUNT_STEP || Some(self.current) == self.total {
            self.told = self.current;
            self.progress.count(&self.id, self.text, self.current, self.total);
        }
    }
}

/// Bytes between two counters: often enough to be seen moving, seldom enough to cost nothing.
const COUNT_STEP: u64 = 512 << 10;

/// The bar as `docker pull` draws it: fifty letters wide, with sizes behind.
fn bar(current: u64, total: Option<u64>) -> String {
    let Some(total) = total.filter(|total| *total > 0 && current <= *total) else {
        return format!("{:>8}", human(current));
    };
    let done = usize::try_from(u128::from(current) * 50 / u128::from(total)).unwrap_or(50);
    format!("[{}>{}] {:>8}/{}", "=".repeat(done), " ".repeat(50 - done), human(current), human(total))
}

/// A size with four digits at most, in steps of a thousand.
pub(crate) fn human(bytes: u64) -> String {
    let mut size = bytes as f64;
    for unit in ["B", "kB", "MB", "GB", "TB"] {
        if size < 1000.0 {
            return format!("{}{unit}", four_digits(size));
        }
        size /= 1000.0;
    }
    format!("{}PB", four_digits(size))
}

fn four_digits(size: f64) -> String {
    let decimals = match size {
        size if size < 10.0 => 3,
        size if size < 100.0 => 2,
        _ => 1,
    };
    let text = format!("{size:.decimals$}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_bars_look_as_docker_draws_them() {
        for (bytes, text) in
            [(0, "0B"), (999, "999B"), (1000, "1kB"), (1_234_567, "1.235MB"), (2_220_094, "2.22MB")]
        {
            assert_eq!(human(bytes), text);
        }
        assert_eq!(bar(5, Some(10)), format!("[{}>{}]       5B/10B", "=".repeat(25), " ".repeat(25)));
        assert_eq!(bar(10, Some(10)), format!("[{}>]      10B/10B", "=".repeat(50)));
        assert_eq!(bar(10, None), "     10B");
    }

    #[test]
    fn lines_have_the_shape_of_docker_pull() {
        let (sender, mut lines) = mpsc::channel(8);
        let progress = Progress::to(sender);
        progress.about("abc", "Pulling fs layer");
        progress.count("abc", "Downloading", 1, Some(2));
        progress.status("Digest: x");
        let mut text = String::new();
        drop(progress);
        while let Ok(line) = lines.try_recv() {
            text += &serde_json::to_string(&line).unwrap();
        }
        assert!(
            text.starts_with(r#"{"status":"Pulling fs layer","progressDetail":{},"id":"abc"}"#),
            "{text}"
        );
        assert!(text.contains(r#""progressDetail":{"current":1,"total":2},"progress":"[===="#), "{text}");
        assert!(text.ends_with(r#"{"status":"Digest: x"}"#), "{text}");
    }

    #[test]
    fn a_listener_who_is_gone_delays_nothing() {
        let (sender, lines) = mpsc::channel(1);
        drop(lines);
        let progress = Progress::to(sender);
        progress.status("a");
        progress.count("b", "c", 1, None);
    }
}
