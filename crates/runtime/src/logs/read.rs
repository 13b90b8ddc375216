//! Reads a log, also one that is being written and put aside meanwhile.
//!
//! In: the file, and what is wanted of it. Out: lines, one after the other, as fast as they are taken. A follower
//! wakes when the file changes or its name is given to another one; it never asks again and again.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use model::Timestamp;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use tokio::io::unix::AsyncFd;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::logs::line::LogLine;
use crate::supervisor::Stream;

/// What is wanted of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogQuery {
    /// Whether lines are wanted that are yet to come.
    pub follow: Follow,
    /// The last so many lines; absent means all.
    pub tail: Option<usize>,
    /// Lines from this time on.
    pub since: Option<Timestamp>,
    /// Lines up to this time.
    pub until: Option<Timestamp>,
    /// Whether output is wanted.
    pub output: bool,
    /// Whether errors are wanted.
    pub errors: bool,
}

/// Whether lines are wanted that are yet to come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Follow {
    /// Only what is there.
    #[default]
    No,
    /// Until the container ends.
    UntilExit,
}

impl Default for LogQuery {
    /// All that is there.
    fn default() -> Self {
        Self { follow: Follow::No, tail: None, since: None, until: None, output: true, errors: true }
    }
}

impl LogQuery {
    fn wants(&self, line: &LogLine) -> bool {
        let stream = match line.stream {
            Stream::Output => self.output,
            Stream::Errors => self.errors,
        };
        stream && self.since.is_none_or(|since| line.at >= since) && !self.is_beyond(line)
    }

    fn is_beyond(&self, line: &LogLine) -> bool {
        self.until.is_some_and(|until| line.at > until)
    }
}

/// Reads a log into a channel, until all is read, nobody takes it any more, or the container has ended.
///
/// # Errors
/// If the log cannot be read; what was read before was sent.
pub(crate) async fn read(
    path: PathBuf,
    query: LogQuery,
    lines: mpsc::Sender<LogLine>,
    over: CancellationToken,
) -> io::Result<()> {
    // Watched from before it is read, so that nothing is missed between.
    let watch = match query.follow {
        Follow::No => None,
        Follow::UntilExit => Some(Watch::new(&path)?),
    };
    let first = tokio::task::spawn_blocking({
        let (path, lines) = (path.clone(), lines.clone());
        move || read_what_is_there(&path, &query, &lines)
    });
    let mut reached = first.await.map_err(io::Error::other)??;
    let Some(watch) = watch else { return Ok(()) };
    loop {
        let is_over = over.is_cancelled();
        let next = tokio::task::spawn_blocking({
            let (path, lines) = (path.clone(), lines.clone());
            move || read_on(reached, &path, &query, &lines)
        });
        reached = next.await.map_err(io::Error::other)??;
        if is_over || lines.is_closed() || reached.is_beyond {
            return Ok(());
        }
        tokio::select! {
            () = over.cancelled() => {}
            () = lines.closed() => {}
            changed = watch.changed() => changed?,
        }
    }
}

/// How far a reader has come.
#[derive(Debug)]
struct Reached {
    /// The file, and where in it the next line begins; absent if there was none yet.
    file: Option<(File, u64)>,
    is_beyond: bool,
}

fn read_what_is_there(path: &Path, query: &LogQuery, lines: &mpsc::Sender<LogLine>) -> io::Result<Reached> {
    let current = open(path)?;
    let mut kept = VecDeque::new();
    let mut take = |line: LogLine| {
        if !query.wants(&line) {
            return !query.is_beyond(&line);
        }
        match query.tail {
            None => return lines.blocking_send(line).is_ok(),
            Some(0) => {}
            Some(count) => {
                if kept.len() == count {
                    kept.pop_front();
                }
                kept.push_back(line);
            }
        }
        true
    };
    let mut reached = Reached { file: None, is_beyond: false };
    // Only as many files as the last lines are in; without files put aside, only the end of this one.
    if query.tail != Some(0) && !has_enough(current.as_ref(), query)? {
        for aside in files_aside(path) {
            each_line(open_aside(&aside)?, &mut take)?;
        }
    }
    if let Some(file) = current {
        let start = match query.tail {
            Some(count) if query.since.is_none() && query.until.is_none() && query.output && query.errors => {
                start_of_last(&file, count)?
            }
            _ => 0,
        };
        let mut reader = BufReader::new(file);
        reader.seek(SeekFrom::Start(start))?;
        let read = each_line(&mut reader, &mut take)?;
        reached.is_beyond = !read.goes_on;
        reached.file = Some((reader.into_inner(), start + read.bytes));
    }
    for line in kept {
        if lines.blocking_send(line).is_err() {
            break;
        }
    }
    Ok(reached)
}

/// Reads what has come since; when the file's name was given to another one, that one from its start.
fn read_on(
    mut reached: Reached,
    path: &Path,
    query: &LogQuery,
    lines: &mpsc::Sender<LogLine>,
) -> io::Result<Reached> {
    let mut take = |line: LogLine| {
        if query.wants(&line) { lines.blocking_send(line).is_ok() } else { !query.is_beyond(&line) }
    };
    loop {
        if let Some((file, at)) = reached.file.take() {
            let at = if file.metadata()?.len() < at { 0 } else { at };
            let mut reader = BufReader::new(file);
            reader.seek(SeekFrom::Start(at))?;
            let read = each_line(&mut reader, &mut take)?;
            reached.is_beyond |= !read.goes_on;
            reached.file = Some((reader.into_inner(), at + read.bytes));
        }
        let Some(newest) = open(path)? else { return Ok(reached) };
        let is_same = match &reached.file {
            Some((file, _)) => file.metadata()?.ino() == newest.metadata()?.ino(),
            None => false,
        };
        if is_same || reached.is_beyond {
            return Ok(reached);
        }
        reached.file = Some((newest, 0));
    }
}

/// What came of reading: whether more is wanted, and how many bytes of whole lines there were.
struct Progress {
    goes_on: bool,
    bytes: u64,
}

fn each_line(mut reader: impl BufRead, take: &mut impl FnMut(LogLine) -> bool) -> io::Result<Progress> {
    let mut bytes = 0;
    let mut line = Vec::new();
    loop {
        line.clear();
        let count = reader.by_ref().take(LINE_MAX).read_until(b'\n', &mut line)?;
        let whole = line.ends_with(b"\n") || count as u64 == LINE_MAX;
        if count == 0 || !whole {
            // A line that is being written is read when it is whole.
            return Ok(Progress { goes_on: true, bytes });
        }
        bytes += count as u64;
        if let Some(line) = LogLine::parse(&line)
            && !take(line)
        {
            return Ok(Progress { goes_on: false, bytes });
        }
    }
}

/// Whether the newest file alone has as many lines as are wanted.
fn has_enough(current: Option<&File>, query: &LogQuery) -> io::Result<bool> {
    let (Some(file), Some(count)) = (current, query.tail) else { return Ok(false) };
    let plain = query.since.is_none() && query.until.is_none() && query.output && query.errors;
    Ok(plain && start_of_last(file, count)? > 0)
}

/// Where the last so many lines begin, found from the end.
fn start_of_last(file: &File, count: usize) -> io::Result<u64> {
    use std::os::unix::fs::FileExt;
    let mut end = file.metadata()?.len();
    let mut missing = count + 1;
    let mut block = vec![0; BLOCK];
    while end > 0 {
        let start = end.saturating_sub(BLOCK as u64);
        let part = &mut block[..(end - start) as usize];
        file.read_exact_at(part, start)?;
        for (at, byte) in part.iter().enumerate().rev() {
            if *byte == b'\n' {
                missing -= 1;
                if missing == 0 {
                    return Ok(start + at as u64 + 1);
                }
            }
        }
        end = start;
    }
    Ok(0)
}

/// The files put aside, the oldest first.
fn files_aside(path: &Path) -> Vec<PathBuf> {
    let named = |number: u32, ending: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{number}{ending}"));
        PathBuf::from(name)
    };
    let both = |number| [named(number, ""), named(number, ".gz")].into_iter().find(|path| path.exists());
    let mut found: Vec<_> = (1..).map_while(both).collect();
    found.reverse();
    found
}

fn open_aside(path: &Path) -> io::Result<Box<dyn BufRead>> {
    let file = File::open(path)?;
    Ok(match path.extension().is_some_and(|ending| ending == "gz") {
        true => Box::new(BufReader::new(MultiGzDecoder::new(file))),
        false => Box::new(BufReader::new(file)),
    })
}

fn open(path: &Path) -> io::Result<Option<File>> {
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Tells when something happens to the files in a log's folder.
#[derive(Debug)]
struct Watch(AsyncFd<File>);

impl Watch {
    #[expect(unsafe_code, reason = "tokio cannot see that the descriptor stays what it is")]
    fn new(path: &Path) -> io::Result<Self> {
        let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)?;
        let folder = path.parent().unwrap_or(Path::new("/"));
        inotify.add_watch(
            folder,
            AddWatchFlags::IN_MODIFY | AddWatchFlags::IN_CREATE | AddWatchFlags::IN_MOVED_TO,
        )?;
        let file = File::from(inotify.as_fd().try_clone_to_owned()?);
        // SAFETY: the file is owned by what is made here, which neither closes nor changes it before it goes.
        Ok(Self(unsafe { AsyncFd::register(file)? }))
    }

    async fn changed(&self) -> io::Result<()> {
        loop {
            let mut ready = self.0.readable().await?;
            // What happened is not needed: the files themselves are looked at.
            let mut events = [0; 4096];
            match ready.try_io(|watch| watch.get_ref().read(&mut events)) {
                Ok(read) => return read.map(|_| ()),
                Err(_) => continue,
            }
        }
    }
}

/// No line is longer: 16 KiB of text, each byte escaped.
const LINE_MAX: u64 = 128 * 1024;
const BLOCK: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::OpenOptions;
    use std::io::Write;

    fn write(path: &Path, numbers: std::ops::Range<u32>) {
        let mut file = OpenOptions::new().append(true).create(true).open(path).unwrap();
        for number in numbers {
            let stream = if number % 2 == 0 { "stdout" } else { "stderr" };
            let time = format!("1970-01-01T00:00:{:02}.000000000Z", number % 60);
            writeln!(file, "{{\"log\":\"{number}\\n\",\"stream\":\"{stream}\",\"time\":\"{time}\"}}")
                .unwrap();
        }
    }

    async fn check(path: &Path, query: LogQuery) -> String {
        let (sender, mut lines) = mpsc::channel(4);
        let reading = read(path.to_owned(), query, sender, CancellationToken::new());
        let taking = async {
            let mut texts = Vec::new();
            while let Some(line) = lines.recv().await {
                texts.push(String::from_utf8(line.text).unwrap().trim().to_owned());
            }
            texts.join(" ")
        };
        let (read, text) = tokio::join!(reading, taking);
        read.unwrap();
        text
    }

    #[tokio::test]
    async fn what_is_there_is_read_as_wanted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        assert_eq!(check(&path, LogQuery::default()).await, "");
        write(&folder.path().join("log.2"), 0..2);
        write(&folder.path().join("log.1"), 2..4);
        write(&path, 4..8);
        let all = LogQuery::default();
        assert_eq!(check(&path, all).await, "0 1 2 3 4 5 6 7");
        assert_eq!(check(&path, LogQuery { tail: Some(3), ..all }).await, "5 6 7");
        assert_eq!(check(&path, LogQuery { tail: Some(5), ..all }).await, "3 4 5 6 7");
        assert_eq!(check(&path, LogQuery { tail: Some(0), ..all }).await, "");
        assert_eq!(check(&path, LogQuery { tail: Some(2), errors: false, ..all }).await, "4 6");
        let at = |seconds| Some(Timestamp::from_parts(seconds, 0));
        assert_eq!(check(&path, LogQuery { since: at(2), until: at(4), ..all }).await, "2 3 4");
    }

    #[tokio::test]
    async fn a_follower_misses_nothing_when_files_are_put_aside() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        write(&path, 0..1);
        let over = CancellationToken::new();
        let (sender, mut lines) = mpsc::channel(4);
        let query = LogQuery { follow: Follow::UntilExit, ..LogQuery::default() };
        let reading = read(path.clone(), query, sender, over.clone());
        let story = async {
            let mut next = async || lines.recv().await.map(|line| String::from_utf8(line.text).unwrap());
            assert_eq!(next().await.unwrap(), "0\n");
            write(&path, 1..2);
            assert_eq!(next().await.unwrap(), "1\n");
            write(&path, 2..3);
            std::fs::rename(&path, folder.path().join("log.1")).unwrap();
            write(&path, 3..4);
            assert_eq!(next().await.unwrap(), "2\n");
            assert_eq!(next().await.unwrap(), "3\n");
            over.cancel();
            assert_eq!(next().await, None);
        };
        let (read, ()) = tokio::join!(reading, story);
        read.unwrap();
    }
}
