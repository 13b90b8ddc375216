//! Conversations with processes, over a connection that was taken over.
//!
//! In: a process's output and input, and the client's connection. Out: what the process writes goes to the client,
//! what the client writes goes to the process; the client's half-close ends the process's input only. Whoever is
//! gone first ends the conversation.

use std::future::Future;
use std::io;
use std::task::Poll;

use api::ApiVersion;
use axum::body::{Body, Bytes};
use axum::extract::{Path, Request, State};
use futures_util::stream::unfold;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use model::Duration;
use runtime::Stream;
use runtime::container::attachment::{Input, Output};
use runtime::container::description::Terminal;
use runtime::container::{Attachment, ContainerError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::http::error::Answer;
use crate::http::request::{Query, Spoken};
use crate::http::routes::Shared;
use crate::http::server::Place;
use crate::http::stream::{self, Framing, Source};

/// Bytes read from a client at once.
const PIECE: usize = 16 << 10;
/// How long a client that was told the end may take to go.
const FAREWELL_MAX: Duration = Duration::from_secs(1);

/// What of a process a client wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wish {
    /// To write to it.
    pub(super) input: bool,
    /// To read its output.
    pub(super) output: bool,
    /// To read its errors.
    pub(super) errors: bool,
    /// How.
    pub(super) framing: Framing,
    /// In which version of the API.
    pub(super) version: ApiVersion,
}

pub(super) async fn attach(
    State(daemon): Shared,
    Path(id): Path<String>,
    Spoken(version): Spoken,
    query: Query,
    request: Request,
) -> Answer {
    let id = daemon.containers.resolve(&id)?;
    let record = daemon.containers.inspect(id)?;
    let wish = Wish {
        input: query.truth("stdin"),
        output: query.truth("stdout"),
        errors: query.truth("stderr"),
        framing: framing(record.description.terminal),
        version,
    };
    let containers = daemon.containers.clone();
    converse(request, wish, async move { containers.attach(id).await })
}

/// A terminal mixes output and errors by itself.
pub(super) fn framing(terminal: Terminal) -> Framing {
    match terminal {
        Terminal::None => Framing::Multiplexed,
        Terminal::Sized(_) => Framing::Raw,
    }
}

/// Answers at once, and lets the conversation begin when the process does.
pub(super) fn converse<F>(request: Request, wish: Wish, process: F) -> Answer
where
    F: Future<Output = Result<Attachment, ContainerError>> + Send + 'static,
{
    let mut process = Box::pin(process);
    // Asked for now: a client that hears the answer starts the process next, and must not miss its first word.
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let early = process.as_mut().poll(&mut context);
    let process = async move {
        match early {
            Poll::Ready(attachment) => attachment,
            Poll::Pending => process.await,
        }
    };
    let (mut parts, _) = request.into_parts();
    let media_type = wish.framing.media_type(wish.version);
    if let Some((response, connection)) = stream::take_over(&mut parts, media_type.clone()) {
        Place::of(&parts).spawn(async move {
            if let Err(error) = talk(connection, wish, process).await {
                tracing::debug!(%error, "a conversation broke off");
            }
        });
        return Ok(response);
    }
    // An old client that did not ask for the connection hears the output as a body, and cannot say anything.
    let pieces = unfold(Listening::Waiting(Box::pin(process)), move |listening| listening.next(wish));
    Ok(stream::with_type(media_type, Body::from_stream(pieces)))
}

async fn talk<F>(connection: OnUpgrade, wish: Wish, process: F) -> io::Result<()>
where
    F: Future<Output = Result<Attachment, ContainerError>> + Send,
{
    let connection = TokioIo::new(connection.await.map_err(io::Error::other)?);
    let (mut from_client, mut to_client) = tokio::io::split(connection);
    let Attachment { mut output, mut input } = match process.await {
        Ok(attachment) => attachment,
        Err(error) => {
            let text = format!("{}\r\n", crate::http::error::chain(&error));
            to_client.write_all(&wish.framing.frame(Source::Errors, text.into())).await?;
            return to_client.shutdown().await;
        }
    };
    let listening = async {
        while let Some((stream, piece)) = output.next().await? {
            if let Some(piece) = wish.framed(stream, piece) {
                to_client.write_all(&piece).await?;
            }
        }
        to_client.shutdown().await
    };
    let speaking = async {
        speak(&mut from_client, wish.input.then_some(&mut input)).await?;
        std::future::pending().await // the client may have said all it wants, and listen on
    };
    tokio::select! {
        ended = listening => ended?,
        broke = speaking => return broke,
    }
    // A connection that is closed before all was read from it is a broken one to the client.
    let mut nowhere = tokio::io::sink();
    let rest = tokio::io::copy(&mut from_client, &mut nowhere);
    tokio::time::timeout(FAREWELL_MAX, rest).await.map_or(Ok(()), |read| read.map(|_| ()))
}

/// Hands on what the client writes until it has said all. A process that hears no more may still be heard.
async fn speak(
    from_client: &mut (impl AsyncReadExt + Unpin),
    mut input: Option<&mut Input>,
) -> io::Result<()> {
    let mut piece = vec![0; PIECE];
    loop {
        let length = from_client.read(&mut piece).await?;
        let heard = match input.as_mut() {
            Some(input) if length == 0 => input.end().await,
            Some(input) => input.write(Bytes::copy_from_slice(&piece[..length])).await,
            None => Ok(()),
        };
        if length == 0 {
            return Ok(());
        }
        if heard.is_err() {
            input = None;
        }
    }
}

impl Wish {
    /// A piece of output as the client wants it, if it does.
    fn framed(self, stream: Stream, piece: Bytes) -> Option<Bytes> {
        let (source, wanted) = match stream {
            Stream::Output => (Source::Output, self.output),
            Stream::Errors => (Source::Errors, self.errors),
        };
        wanted.then(|| self.framing.frame(source, piece))
    }
}

/// An old client's way through a conversation.
enum Listening<F> {
    Waiting(F),
    Hearing(Attachment),
}

impl<F> Listening<F>
where
    F: Future<Output = Result<Attachment, ContainerError>> + Send + Unpin,
{
    async fn next(self, wish: Wish) -> Option<(io::Result<Bytes>, Self)> {
        let mut attachment = match self {
            Self::Waiting(process) => process.await.ok()?,
            Self::Hearing(attachment) => attachment,
        };
        loop {
            let (stream, piece) = heard(&mut attachment.output).await?;
            if let Some(piece) = wish.framed(stream, piece) {
                return Some((Ok(piece), Self::Hearing(attachment)));
            }
        }
    }
}

async fn heard(output: &mut Output) -> Option<(Stream, Bytes)> {
    output.next().await.ok().flatten()
}
