//! Bytes that stock managers wrote are read and written again to the letter.

#![expect(clippy::unwrap_used, reason = "a test may")]

use prost::Message;
use skep_wire::{proto, raftpb};

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

/// Reads and writes again; returns what was read.
fn same<M: Message + Default>(hex: &str) -> M {
    let message = M::decode(bytes(hex).as_slice()).unwrap();
    let again: String = message.encode_to_vec().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(again, hex);
    message
}

#[test]
fn objects_are_read_and_written_to_the_letter() {
    assert_eq!(same::<proto::Meta>("0a02080a").version, Some(proto::Version { index: 10 }));
    same::<proto::Service>("12020a001a040a001200");
    same::<proto::ServiceSpec>("0a0012002200");
    same::<proto::Task>("12020a001a003a0042004a00");
    same::<proto::Node>("12020a001a020a002a0042021a00");
    same::<proto::Cluster>("12020a001a100a0012001a0022002a0032003a00420022022200");
    same::<proto::Network>("12020a001a020a00");
    same::<proto::Secret>("12020a001a020a00");
    same::<proto::UpdateConfig>("08011200");
    same::<proto::UpdateConfig>("120808011080cab5ee012d0000003f");
    let file = same::<proto::FileTarget>("0a01611201301a013020a402");
    assert_eq!((file.name.as_str(), file.mode), ("a", 0o444));
}

#[test]
fn words_between_nodes_are_read_and_written_to_the_letter() {
    same::<proto::HeartbeatResponse>("0a020805");
    let joined = same::<proto::JoinResponse>("0801180518ac02");
    assert_eq!(joined.removed_members, [5, 300]);
    same::<proto::RaftMember>("080112016e1a06613a323337372200");
    same::<proto::InternalRaftRequest>(
        "0801123d08011a390a017312180a02080a12080880e2cfaa0610051a080880e2cfaa0610051a180a050a0377656212\
         0b0a090a0762757379626f781a0208025200"
            .replace(char::is_whitespace, "")
            .as_str(),
    );
    same::<proto::SessionMessage>(
        "0a017812110a016e12020a001a020a002a0042021a001a150a110a016d120c312e322e332e343a32333737100a2219\
         0a116e6574776f726b696e673a676f737369701a02010220032a0350454d",
    );
    same::<proto::AssignmentsMessage>("1a013122130a110a0f0a017412020a001a003a0042004a00");
    let status = same::<proto::TaskStatus>("0a080880e2cfaa0610051080041a0773746172746564");
    assert_eq!((status.state, status.message.as_str()), (512, "started"));
    same::<proto::MaybeEncryptedRecord>("1203010203");
    same::<proto::Snapshot>("12130a0f080112016e1a06613a32333737220010091a00");
}

#[test]
fn messages_of_raft_are_read_and_written_to_the_letter() {
    same::<raftpb::ConfChange>("080010001801220f080112016e1a06613a323337372200");
    same::<raftpb::Entry>("0801100118012217080010001801220f080112016e1a06613a323337372200");
    let vote = same::<raftpb::Message>("0805100218012003280230094000500058006800");
    assert_eq!((vote.r#type(), vote.to, vote.log_term), (raftpb::MessageType::MsgVote, 2, 2));
    same::<raftpb::Message>("0808100218012003280030004009500058006800");
    same::<raftpb::ConfState>("080108022800");
    same::<raftpb::HardState>("080110001801");
    same::<proto::ProcessRaftMessageRequest>("0a140808100218012003280030004009500058006800");
}
