//! Answers that go on: lines of JSON, frames of output, and connections that become streams.

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::header::{CONNECTION, CONTENT_TYPE, UPGRADE};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use futures_util::{Stream, StreamExt};
use hyper::upgrade::OnUpgrade;
use serde::Serialize;

use api::ApiVersion;

/// How a stream of output is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// Output and errors apart, each piece with a head of eight bytes.
    Multiplexed,
    /// As it comes from a terminal.
    Raw,
}

/// Which of a process's outputs a piece comes from; the number is the first byte of a frame's head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Source {
    /// Standard output.
    Output = 1,
    /// Standard error.
    Errors = 2,
    /// The daemon, which could not go on.
    Daemon = 3,
}

impl Framing {
    /// The framing's media type; clients before 1.42 are always told that it is raw.
    pub(crate) fn media_type(self, version: ApiVersion) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Multiplexed if version >= ApiVersion::v(42) => "application/vnd.docker.multiplexed-stream",
            Self::Multiplexed | Self::Raw => "application/vnd.docker.raw-stream",
        })
    }

    /// One piece as it is written.
    pub(crate) fn frame(self, source: Source, piece: Bytes) -> Bytes {
        match self {
            Self::Raw => piece,
            Self::Multiplexed => {
                let length = u32::try_from(piece.len()).expect("pieces are smaller than 4 GiB");
                let mut frame = Vec::with_capacity(8 + piece.len());
                frame.extend_from_slice(&[source as u8, 0, 0, 0]);
                frame.extend_from_slice(&length.to_be_bytes());
                frame.extend_from_slice(&piece);
                frame.into()
            }
        }
    }
}

/// 200 and one line of JSON for each value, as soon as it is there. Dropped with the client.
pub(crate) fn lines<T: Serialize>(values: impl Stream<Item = T> + Send + 'static) -> Response {
    let lines = values.map(|value| {
        let mut line = serde_json::to_vec(&value).expect("answers are made of what JSON can say");
        line.push(b'\n');
        Ok::<_, std::convert::Infallible>(Bytes::from(line))
    });
    with_type(HeaderValue::from_static("application/json"), Body::from_stream(lines))
}

/// 200 and bytes of this type.
pub(crate) fn with_type(media_type: HeaderValue, body: Body) -> Response {
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, media_type);
    response
}

/// What a client sends, piece by piece.
pub(crate) fn incoming(request: Request) -> impl Stream<Item = std::io::Result<Bytes>> {
    request.into_body().into_data_stream().map(|piece| piece.map_err(std::io::Error::other))
}

/// Takes the connection over: the answer to the client, and the stream once the answer is on its way. `None` if
/// the client did not ask for it, as old ones do not.
pub(crate) fn take_over(parts: &mut Parts, media_type: HeaderValue) -> Option<(Response, OnUpgrade)> {
    parts.headers.get(UPGRADE)?;
    let stream = parts.extensions.remove::<OnUpgrade>()?;
    let mut response = with_type(media_type, Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    response.headers_mut().insert(UPGRADE, HeaderValue::from_static("tcp"));
    Some((response, stream))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_says_where_it_comes_from_and_how_long_it_is() {
        let frame = Framing::Multiplexed.frame(Source::Errors, Bytes::from_static(b"oh"));
        assert_eq!(&frame[..], b"\x02\0\0\0\0\0\0\x02oh");
        assert_eq!(&Framing::Raw.frame(Source::Output, Bytes::from_static(b"oh"))[..], b"oh");
    }
}
