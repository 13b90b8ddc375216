//! What a client still says when its request has already been answered.
//!
//! Whoever closes a socket while the other side writes lets it see a broken pipe, and the answer, however clear, is
//! lost. So the rest of a body that nobody wanted is read and thrown away, for a while.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use model::Duration;
use tokio::runtime::Handle;

/// How long a client may go on speaking after its answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// The body of a request, which is read to its end even when it is dropped before.
#[derive(Debug)]
pub(super) struct Whole {
    /// `None` when the end was seen, or the rest is read elsewhere.
    incoming: Option<Incoming>,
}

impl Whole {
    /// The whole of a body.
    pub(super) fn new(incoming: Incoming) -> Self {
        Self { incoming: Some(incoming) }
    }
}

impl Body for Whole {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let Some(incoming) = &mut self.incoming else { return Poll::Ready(None) };
        let polled = Pin::new(incoming).poll_frame(context);
        if let Poll::Ready(None | Some(Err(_))) = polled {
            self.incoming = None;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.as_ref().map_or_else(SizeHint::default, Body::size_hint)
    }
}

impl Drop for Whole {
    fn drop(&mut self) {
        let rest = self.incoming.take().filter(|incoming| !incoming.is_end_stream());
        let (Some(rest), Ok(runtime)) = (rest, Handle::try_current()) else { return };
        // The conversation goes on as long as its body lives; when that ends, so does this.
        runtime.spawn(tokio::time::timeout(PATIENCE, drain(rest)));
    }
}

async fn drain(mut incoming: Incoming) {
    while let Some(Ok(_)) = poll_fn(|context| Pin::new(&mut incoming).poll_frame(context)).await {}
}
