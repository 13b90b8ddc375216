//! Images as archives: `load`, `import` and `save`.

use std::io::IsTerminal;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use clap::Args;
use futures_util::TryStreamExt;
use http_body_util::StreamBody;
use hyper::body::{Frame, Incoming};
use hyper::{Method, Response};
use tokio::io::AsyncRead;
use tokio_util::io::ReaderStream;

use crate::output::{archive, transfer};
use crate::session::{Session, escaped};

/// Take in images from an archive
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  skep image load --input web.tar")]
pub(crate) struct Load {
    /// Read this file instead of standard input
    #[arg(short, long, value_name = "FILE")]
    input: Option<PathBuf>,
    /// Say only what was loaded
    #[arg(short, long)]
    quiet: bool,
}

impl Load {
    pub(crate) async fn run(self, session: &mut Session) -> Result<()> {
        if self.input.is_none() && std::io::stdin().is_terminal() {
            bail!("requested load from stdin, but stdin is empty");
        }
        let path = format!("/images/load?quiet={}", u8::from(self.quiet));
        let response = sent(session, &path, source(self.input).await?).await?;
        transfer::show(&mut session.out, response).await
    }
}

/// Make an image of a root file system in an archive
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  skep image import --change 'CMD [\"httpd\", \"-f\"]' root.tar web:1")]
pub(crate) struct Import {
    /// The archive; `-` is standard input
    #[arg(value_name = "FILE|-")]
    file: PathBuf,
    /// Name and tag
    #[arg(value_name = "REPOSITORY[:TAG]")]
    name: Option<String>,
    /// Apply an instruction, such as `CMD ["sh"]`
    #[arg(short, long, value_name = "INSTRUCTION")]
    change: Vec<String>,
    /// Say something about it
    #[arg(short, long, default_value = "", value_name = "TEXT", hide_default_value = true)]
    message: String,
    /// For which platform it is
    #[arg(long, value_name = "OS/ARCHITECTURE")]
    platform: Option<String>,
}

impl Import {
    pub(crate) async fn run(self, session: &mut Session) -> Result<()> {
        let (repo, tag) = super::split(self.name.as_deref().unwrap_or_default());
        let mut path = format!("/images/create?fromSrc=-&repo={}&tag={}", escaped(repo), escaped(tag));
        path.push_str(&format!("&message={}", escaped(&self.message)));
        for change in &self.change {
            path.push_str(&format!("&changes={}", escaped(change)));
        }
        if let Some(platform) = &self.platform {
            path.push_str(&format!("&platform={}", escaped(platform)));
        }
        let file = Some(self.file).filter(|file| file.as_os_str() != "-");
        let response = sent(session, &path, source(file).await?).await?;
        transfer::show(&mut session.out, response).await
    }
}

/// Write images into an archive
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  skep image save --output web.tar web:1")]
pub(crate) struct Save {
    /// Which
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<String>,
    /// Write this file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl Save {
    pub(crate) async fn run(self, session: &mut Session) -> Result<()> {
        archive::check(
            self.output.as_deref(),
            "cowardly refusing to save to a terminal. Use the -o flag or redirect",
        )?;
        let names: Vec<String> = self.images.iter().map(|name| format!("names={}", escaped(name))).collect();
        let path = format!("/images/get?{}", names.join("&"));
        let response = session.client.send(Method::GET, &path, Vec::new()).await?;
        archive::save(response, self.output.as_deref()).await
    }
}

type Source = Box<dyn AsyncRead + Send + Unpin>;

/// A file, or standard input.
async fn source(file: Option<PathBuf>) -> Result<Source> {
    let Some(path) = file else { return Ok(Box::new(tokio::io::stdin())) };
    let file = tokio::fs::File::open(&path).await;
    Ok(Box::new(file.with_context(|| format!("open {}", path.display()))?))
}

async fn sent(session: &Session, path: &str, source: Source) -> Result<Response<Incoming>> {
    let body = StreamBody::new(ReaderStream::with_capacity(source, 64 << 10).map_ok(Frame::<Bytes>::data));
    let request =
        session.client.request(Method::POST, path).await?.header("content-type", "application/x-tar");
    Ok(session.client.exchange(request.body(body)?).await?)
}
