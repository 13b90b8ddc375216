//! One message in one call, as stock managers do it; a large snapshot in chunks.

use model::Duration;
use raft::Message;
use tokio::time::timeout;
use tonic::transport::Channel;
use tonic::{Code, Status};
use wire::proto::raft_client::RaftClient;
use wire::proto::{ProcessRaftMessageRequest, StreamRaftMessageRequest};
use wire::{OnWire, raftpb};

/// How long one message, or one chunk of a snapshot, may take.
pub(super) const SEND_TIMEOUT: Duration = Duration::from_secs(2);
/// Bytes of a snapshot in one chunk: stock managers take four mebibytes with everything around it.
const CHUNK_BYTES: usize = (4 << 20) - (64 << 10);

/// Sends one message.
pub(super) async fn send(channel: Channel, message: &Message) -> Result<(), Status> {
    let mut client = RaftClient::new(channel);
    let chunks = chunks(message.to_wire());
    let patience = SEND_TIMEOUT * u32::try_from(chunks.len()).unwrap_or(u32::MAX);
    let requests: Vec<_> =
        chunks.iter().cloned().map(|message| StreamRaftMessageRequest { message: Some(message) }).collect();
    let streamed = client.stream_raft_message(futures_util::stream::iter(requests));
    match (timeout(patience, streamed).await.map_err(late)?, chunks.as_slice()) {
        (Ok(_), _) => Ok(()),
        (Err(status), [whole]) if status.code() == Code::Unimplemented => {
            let request = ProcessRaftMessageRequest { message: Some(whole.clone()) };
            timeout(patience, client.process_raft_message(request)).await.map_err(late)?.map(|_| ())
        }
        (Err(status), _) => Err(status),
    }
}

/// That a message was not taken in time.
pub(super) fn late<T>(_: T) -> Status {
    Status::deadline_exceeded("the other manager did not take the message in time")
}

/// A message in pieces that a manager takes: each is the whole message, with a part of its snapshot.
pub(super) fn chunks(message: raftpb::Message) -> Vec<raftpb::Message> {
    let data = message.snapshot.as_ref().and_then(|snapshot| snapshot.data.as_deref()).unwrap_or_default();
    if data.len() <= CHUNK_BYTES {
        return vec![message];
    }
    let with = |part: &[u8]| {
        let snapshot = message.snapshot.as_ref().map(|snapshot| raftpb::Snapshot {
            data: Some(part.to_vec()),
            metadata: snapshot.metadata.clone(),
        });
        raftpb::Message { snapshot, ..bare(&message) }
    };
    data.chunks(CHUNK_BYTES).map(with).collect()
}

/// The message without its snapshot, which may be large.
fn bare(message: &raftpb::Message) -> raftpb::Message {
    let raftpb::Message {
        r#type,
        to,
        from,
        term,
        log_term,
        index,
        entries,
        commit,
        snapshot: _,
        reject,
        reject_hint,
        context,
        vote,
        responses,
    } = message;
    raftpb::Message {
        r#type: *r#type,
        to: *to,
        from: *from,
        term: *term,
        log_term: *log_term,
        index: *index,
        entries: entries.clone(),
        commit: *commit,
        snapshot: None,
        reject: *reject,
        reject_hint: *reject_hint,
        context: context.clone(),
        vote: *vote,
        responses: responses.clone(),
    }
}
