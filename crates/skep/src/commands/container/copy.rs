//! `skep container cp`: files into a container, and out of it.
//!
//! Files travel as a tar stream. What comes from a daemon is unpacked so that nothing of it can land outside of the
//! destination, whatever its names and links say.

use std::io::{self, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::mpsc;

use anyhow::{Context, Result, bail};
use api::container::PathStat;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use clap::Args;
use futures_util::stream;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::{Method, Response};

use crate::output::archive;
use crate::session::{Session, escaped};

/// Copy files into a container, or out of it
#[derive(Debug, Args)]
#[command(after_help = "`-` stands for a tar archive on standard input or output.\n\n\
                        Examples:\n  skep cp web:/etc/nginx/nginx.conf .\n  skep cp ./site/. web:/usr/share/nginx/html")]
pub(crate) struct Copy {
    /// From where: CONTAINER:PATH, PATH or -
    source: Place,
    /// Where to: CONTAINER:PATH, PATH or -
    destination: Place,
    /// Keep users and groups as they are
    #[arg(short, long)]
    archive: bool,
    /// Copy what a link leads to instead of the link
    #[arg(short = 'L', long)]
    follow_link: bool,
    /// Do not say what was copied
    #[arg(short, long)]
    quiet: bool,
}

/// One end of the way.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    /// In a container.
    There { container: String, path: String },
    /// Here.
    Here(PathBuf),
    /// Standard input or output.
    Stream,
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            _ if text == "-" => Ok(Self::Stream),
            Some(_) if text.starts_with(['/', '.']) => Ok(Self::Here(text.into())),
            Some((container, path)) if !container.is_empty() && !path.is_empty() => {
                Ok(Self::There { container: container.to_owned(), path: path.to_owned() })
            }
            None if !text.is_empty() => Ok(Self::Here(text.into())),
            _ => Err("neither a path nor CONTAINER:PATH".to_owned()),
        }
    }
}

impl Copy {
    pub(crate) async fn run(self, session: &mut Session) -> Result<()> {
        match (&self.source, &self.destination) {
            (Place::There { .. }, Place::There { .. }) => {
                bail!("copying between containers is not supported")
            }
            (Place::There { container, path }, to) => self.out_of(session, container, path, to).await,
            (from, Place::There { container, path }) => self.put_into(session, from, container, path).await,
            _ => bail!("must specify at least one container source"),
        }
    }

    async fn out_of(&self, session: &Session, container: &str, path: &str, to: &Place) -> Result<()> {
        let mut path = path.to_owned();
        if self.follow_link
            && let Some(stat) = look(session, container, &path).await?
            && !stat.link_target.is_empty()
        {
            path = stat.link_target;
        }
        let place = format!("/containers/{container}/archive?path={}", escaped(&path));
        let response = session.client.send(Method::GET, &place, Vec::new()).await?;
        let Place::Here(to) = to else {
            archive::check(None, "cowardly refusing to write an archive to a terminal")?;
            return archive::copy(response, &mut io::stdout()).await;
        };
        let stat = stat(&response)?;
        let is_content = path.ends_with("/.");
        let target = Target::of(to, &stat, is_content)?;
        unpack(response, target).await?;
        self.say(stat.size, &to.display().to_string())
    }

    async fn put_into(&self, session: &Session, from: &Place, container: &str, path: &str) -> Result<()> {
        let query = format!("noOverwriteDirNonDir=true&copyUIDGID={}", self.archive);
        let send = async |folder: &str, source: Box<dyn FnOnce(Pipe) -> io::Result<()> + Send>| {
            let place = format!("/containers/{container}/archive?path={}&{query}", escaped(folder));
            let body = StreamBody::new(stream_of(source));
            let request = session.client.request(Method::PUT, &place).await?;
            let request = request.header("content-type", "application/x-tar");
            Ok::<_, anyhow::Error>(session.client.exchange(request.body(body)?).await.map(drop)?)
        };
        let Place::Here(from) = from else {
            return send(path, Box::new(|mut pipe| io::copy(&mut io::stdin(), &mut pipe).map(drop))).await;
        };
        let there = look(session, container, path).await?;
        let (folder, name) = landing(from, path, there.as_ref())?;
        let (packed, follow) = (from.clone(), self.follow_link);
        let size = std::fs::metadata(from).map(|found| found.len()).unwrap_or_default();
        send(&folder, Box::new(move |pipe| pack(pipe, &packed, &name, follow))).await?;
        self.say(i64::try_from(size).unwrap_or(i64::MAX), &format!("{container}:{path}"))
    }

    fn say(&self, size: i64, to: &str) -> Result<()> {
        if !self.quiet && io::stderr().is_terminal() {
            writeln!(
                io::stderr(),
                "Successfully copied {} to {to}",
                crate::output::units::size(size as f64)
            )?;
        }
        Ok(())
    }
}

/// What is at a path of a container; nothing if there is nothing.
async fn look(session: &Session, container: &str, path: &str) -> Result<Option<PathStat>> {
    let place = format!("/containers/{container}/archive?path={}", escaped(path));
    match session.client.send(Method::HEAD, &place, Vec::new()).await {
        Ok(response) => stat(&response).map(Some),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// What an answer's head says about the path.
fn stat(response: &Response<Incoming>) -> Result<PathStat> {
    let head = response.headers().get("x-docker-container-path-stat");
    let head = head.context("the daemon's answer does not say what it found")?;
    Ok(api::read(&STANDARD.decode(head.as_bytes())?)?)
}

/// Go's mode has a bit for folders.
fn is_folder(stat: &PathStat) -> bool {
    stat.mode & (1 << 31) != 0
}

/// Where in a container a file lands: the folder, and its name there; `.` for what is in a folder.
fn landing(from: &Path, path: &str, there: Option<&PathStat>) -> Result<(String, String)> {
    let found = std::fs::metadata(from).with_context(|| format!("lstat {}", from.display()))?;
    if there.is_some_and(is_folder) {
        let name = match from.to_string_lossy().ends_with("/.") {
            true => ".".to_owned(),
            false => {
                std::path::absolute(from)?.file_name().unwrap_or_default().to_string_lossy().into_owned()
            }
        };
        return Ok((path.to_owned(), name));
    }
    if there.is_none() && path.ends_with('/') && !found.is_dir() {
        bail!("destination directory does not exist: {path}");
    }
    if there.is_some() && found.is_dir() {
        bail!("cannot copy directory to a file: {path}");
    }
    let path = Path::new(path.trim_end_matches('/'));
    let name = path.file_name().with_context(|| format!("no name at the end of {}", path.display()))?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("/"));
    Ok((folder.to_string_lossy().into_owned(), name.to_string_lossy().into_owned()))
}

fn pack(pipe: Pipe, from: &Path, name: &str, follow: bool) -> io::Result<()> {
    let mut builder = tar::Builder::new(pipe);
    builder.follow_symlinks(follow);
    let found = if follow { std::fs::metadata(from)? } else { std::fs::symlink_metadata(from)? };
    if found.is_dir() {
        builder.append_dir_all(name, from)?
    } else {
        builder.append_path_with_name(from, name)?
    }
    builder.into_inner()?.flush()
}

/// Where what comes out of a container lands.
#[derive(Debug, PartialEq, Eq)]
enum Target {
    /// In a folder, under its own name.
    Within(PathBuf),
    /// As this file or folder, which takes the place of one that is there.
    As { folder: PathBuf, name: PathBuf },
}

impl Target {
    fn of(to: &Path, stat: &PathStat, is_content: bool) -> Result<Self> {
        if to.is_dir() {
            return Ok(Self::Within(to.to_owned()));
        }
        if !to.exists() && to.to_string_lossy().ends_with('/') && !is_folder(stat) {
            bail!("destination directory does not exist: {}", to.display());
        }
        if to.exists() && is_folder(stat) {
            bail!("cannot copy directory to a file: {}", to.display());
        }
        let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if !folder.is_dir() {
            bail!("invalid output path: directory \"{}\" does not exist", folder.display());
        }
        if is_content {
            std::fs::create_dir(to).with_context(|| to.display().to_string())?;
            return Ok(Self::Within(to.to_owned()));
        }
        Ok(Self::As { folder: folder.to_owned(), name: to.to_owned() })
    }
}

/// Unpacks an answer. What gets another name is unpacked aside first, and moved when it is whole.
async fn unpack(response: Response<Incoming>, target: Target) -> Result<()> {
    match target {
        Target::Within(folder) => unpack_in(response, folder).await,
        Target::As { folder, name } => {
            let aside = folder.join(format!(".skep-cp-{}", std::process::id()));
            std::fs::create_dir(&aside).with_context(|| aside.display().to_string())?;
            let moved = async {
                unpack_in(response, aside.clone()).await?;
                let only = std::fs::read_dir(&aside)?.next().context("the archive is empty")??;
                std::fs::rename(only.path(), &name).with_context(|| name.display().to_string())
            };
            let ended = moved.await;
            std::fs::remove_dir_all(&aside).with_context(|| aside.display().to_string())?;
            ended
        }
    }
}

async fn unpack_in(response: Response<Incoming>, folder: PathBuf) -> Result<()> {
    let (to, pieces) = mpsc::sync_channel(4);
    let unpacking = std::thread::spawn(move || {
        let mut archive = tar::Archive::new(Pieces { pieces, rest: Bytes::new() });
        for entry in archive.entries()? {
            let mut entry = entry?;
            if !entry.unpack_in(&folder)? {
                let name = entry.path()?.display().to_string();
                return Err(io::Error::other(format!("the archive leads outside of its folder: {name}")));
            }
        }
        Ok(())
    });
    let mut body = response.into_body();
    while let Some(frame) = body.frame().await {
        let Ok(piece) = frame?.into_data() else { continue };
        if to.send(piece).is_err() {
            break; // It failed, and says below why.
        }
    }
    drop(to);
    let ended = unpacking.join().map_err(|_| anyhow::anyhow!("unpacking broke off"))?;
    Ok(ended?)
}

/// Pieces from another thread, read as one stream.
struct Pieces {
    pieces: mpsc::Receiver<Bytes>,
    rest: Bytes,
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.rest.is_empty() {
            self.rest = self.pieces.recv().unwrap_or_default();
        }
        let length = buffer.len().min(self.rest.len());
        buffer[..length].copy_from_slice(&self.rest.split_to(length));
        Ok(length)
    }
}

/// What a thread writes, as pieces of a request.
struct Pipe(tokio::sync::mpsc::Sender<io::Result<Bytes>>);

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let piece = Bytes::copy_from_slice(bytes);
        self.0.blocking_send(Ok(piece)).map_err(|_| io::ErrorKind::BrokenPipe)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The pieces that `source` writes, from a thread of its own; its failure ends them.
fn stream_of(
    source: Box<dyn FnOnce(Pipe) -> io::Result<()> + Send>,
) -> impl stream::Stream<Item = io::Result<Frame<Bytes>>> + Unpin {
    let (to, pieces) = tokio::sync::mpsc::channel(4);
    let failures = to.clone();
    std::thread::spawn(move || {
        if let Err(error) = source(Pipe(to)) {
            // Nobody listens any more if this cannot be told.
            let _ = failures.blocking_send(Err(error));
        }
    });
    Box::pin(stream::unfold(pieces, async |mut pieces| {
        let piece = pieces.recv().await?;
        Some((piece.map(Frame::data), pieces))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_here_or_there() {
        for (text, expected) in [
            ("web:/etc", Place::There { container: "web".into(), path: "/etc".into() }),
            ("./a:b", Place::Here("./a:b".into())),
            ("/a:b", Place::Here("/a:b".into())),
            ("a", Place::Here("a".into())),
            ("-", Place::Stream),
        ] {
            assert_eq!(text.parse::<Place>().unwrap(), expected, "{text}");
        }
        assert!("".parse::<Place>().is_err());
        assert!("web:".parse::<Place>().is_err());
    }

    #[test]
    fn files_land_in_folders_or_under_another_name() {
        let here = std::env::temp_dir().join(format!("skep-cp-test-{}", std::process::id()));
        std::fs::create_dir(&here).unwrap();
        let file = here.join("file");
        std::fs::write(&file, "x").unwrap();
        let folder = PathStat { mode: 1 << 31, ..PathStat::default() };
        let land = |from: &Path, path: &str, there: Option<&PathStat>| {
            landing(from, path, there).map_err(|error| error.to_string())
        };
        let plain = PathStat::default();
        assert_eq!(land(&file, "/tmp", Some(&folder)).unwrap(), ("/tmp".into(), "file".into()));
        assert_eq!(land(&file, "/tmp/x", None).unwrap(), ("/tmp".into(), "x".into()));
        assert_eq!(land(&here.join("."), "/tmp", Some(&folder)).unwrap().0, "/tmp");
        assert_eq!(land(&file, "/no/", None).unwrap_err(), "destination directory does not exist: /no/");
        assert_eq!(land(&here, "/f", Some(&plain)).unwrap_err(), "cannot copy directory to a file: /f");
        assert_eq!(Target::of(&here, &plain, false).unwrap(), Target::Within(here.clone()));
        let other = Target::of(&here.join("new"), &plain, false).unwrap();
        assert_eq!(other, Target::As { folder: here.clone(), name: here.join("new") });
        let lost = Target::of(&here.join("no/new"), &plain, false).unwrap_err().to_string();
        assert!(lost.contains("does not exist"), "{lost}");
        std::fs::remove_dir_all(&here).unwrap();
    }
}
