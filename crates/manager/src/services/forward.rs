//! Passes calls on to the manager that leads, for services that only a leader can serve (`security.md` section 7).
//!
//! In: a call, of whatever kind. Out: the answer of this manager's own service while it leads; else that of the
//! leader's, byte by byte as it comes, until it is whole or the leader is lost. It knows no messages.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::Frame;
use model::Refusal;
use tonic::Status;
use tonic::body::Body;
use tonic::server::NamedService;
use tower::{Service, ServiceExt};
use wire::{Peer, status_of};

use super::forwarded::{Forwarded, REDIRECT};
use crate::route::{Elsewhere, Place, Route};

/// A service that is served where the leader is.
#[derive(Clone, Debug)]
pub(super) struct AtLeader<S> {
    service: S,
    route: Route,
}

impl<S> AtLeader<S> {
    pub(super) fn new(service: S, route: Route) -> Self {
        Self { service, route }
    }
}

impl<S: NamedService> NamedService for AtLeader<S> {
    const NAME: &'static str = S::NAME;
}

type Answering = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

impl<S> Service<Request<Body>> for AtLeader<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answering;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.service.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Answering {
        let Self { service, route } = self.clone();
        Box::pin(async move {
            match route.find().await {
                Ok(Place::Here) => service.oneshot(request).await,
                Ok(Place::There(leader)) => {
                    let answer = forward(request, leader, &route).await;
                    Ok(answer.unwrap_or_else(Status::into_http))
                }
                Err(refusal) => Ok(status_of(&refusal).into_http()),
            }
        })
    }
}

/// Passes one call on.
async fn forward(
    mut request: Request<Body>,
    leader: Elsewhere,
    route: &Route,
) -> Result<Response<Body>, Status> {
    let peer = request.extensions().get::<Peer>().cloned();
    let peer = peer.ok_or_else(|| Status::permission_denied("request is not using TLS"))?;
    if let Some(from) = request.headers().get(REDIRECT) {
        let from = String::from_utf8_lossy(from.as_bytes()).into_owned();
        return Err(Status::resource_exhausted(format!("more than one redirect to leader from: [{from}]")));
    }
    Forwarded::from_peer(&peer).write(request.headers_mut());
    request.extensions_mut().clear();

    let Elsewhere { leader, channel } = leader;
    let lost = {
        let route = route.clone();
        async move { route.lost(leader).await }
    };
    let mut lost: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(lost);
    let answered = tokio::select! {
        answered = channel.oneshot(request) => answered.map_err(|error| Status::from_error(error.into()))?,
        () = &mut lost => return Err(leader_lost()),
    };
    Ok(answered.map(|body| Body::new(WhileLed { body: Some(body), lost })))
}

fn leader_lost() -> Status {
    status_of(&Refusal::new(model::RefusalKind::Unavailable, "the leader was lost before it could answer"))
}

/// The body of an answer that comes from the leader. If the leader is lost it ends, and says why: nothing else might
/// ever come.
struct WhileLed {
    body: Option<Body>,
    lost: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl http_body::Body for WhileLed {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        if let Poll::Ready(frame) = Pin::new(body).poll_frame(cx) {
            if matches!(frame, Some(Err(_)) | None) {
                self.body = None;
            }
            return Poll::Ready(frame.map(|frame| frame.or_else(|status| last_words(&status))));
        }
        if self.lost.as_mut().poll(cx).is_ready() {
            self.body = None;
            return Poll::Ready(Some(last_words(&leader_lost())));
        }
        Poll::Pending
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(http_body::Body::is_end_stream)
    }
}

/// The last frame of an answer that ends before it is whole.
fn last_words(status: &Status) -> Result<Frame<Bytes>, Status> {
    let mut trailers = HeaderMap::new();
    status.add_header(&mut trailers)?;
    Ok(Frame::trailers(trailers))
}
