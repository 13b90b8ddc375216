//! What to do with one question.
//!
//! In: the bytes of a question, who asks, and the names. Out: the bytes of the answer, or that somebody else must be asked.
//! Pure but for the order of the addresses, which is drawn. Bytes from outside never panic.

use hickory_proto::op::{Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::{A, PTR};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use model::Chance;

use crate::plan::Records;

/// What to do with one question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Send these bytes back.
    Answer(Vec<u8>),
    /// Ask the host's name servers.
    Forward,
    /// Nobody can answer this: it is no question at all.
    Ignore,
}

/// What to do with the question a container asks.
pub(super) fn judge(question: &[u8], container: &str, records: &Records, chance: &mut Chance) -> Verdict {
    let Ok(message) = Message::from_vec(question) else { return refuse(question, ResponseCode::FormErr) };
    if message.metadata.message_type == MessageType::Response {
        return Verdict::Ignore;
    }
    if message.metadata.op_code != OpCode::Query {
        return refuse(question, ResponseCode::NotImp);
    }
    let [query] = message.queries.as_slice() else { return refuse(question, ResponseCode::FormErr) };
    match known(query, container, records, chance) {
        Some(answers) => answer(&message, query, answers),
        None if is_single(query) => answer(&message, query, Vec::new()),
        None => Verdict::Forward,
    }
}

/// A failure in answer to a question; none if there is not even a number to answer with.
pub(super) fn refuse(question: &[u8], code: ResponseCode) -> Verdict {
    // The third byte's top bit marks answers, which must never be answered, lest two servers talk for ever.
    let (Some(id), Some(flags)) = (question.get(..2), question.get(2)) else { return Verdict::Ignore };
    if question.len() < HEADER || flags & 0x80 != 0 {
        return Verdict::Ignore;
    }
    let mut message = Message::error_msg(u16::from_be_bytes([id[0], id[1]]), OpCode::Query, code);
    message.metadata.recursion_desired = flags & 1 != 0;
    message.metadata.recursion_available = true;
    if let Ok(Message { queries, .. }) = Message::from_vec(question) {
        message.add_queries(queries);
    }
    encode(&message)
}

/// The records behind a name that is known here; no records if it is known and has none of this type.
fn known(query: &Query, container: &str, records: &Records, chance: &mut Chance) -> Option<Vec<Record>> {
    let name = query.name();
    if query.query_type() == RecordType::PTR {
        let address = name.parse_arpa_name().ok()?;
        let std::net::IpAddr::V4(address) = address.addr() else { return None };
        let owner = Name::from_ascii(records.name(container, address)? + ".").ok()?;
        return Some(vec![record(name, RData::PTR(PTR(owner)))]);
    }
    let addresses = records.addresses(container, &name.to_ascii())?;
    if !matches!(query.query_type(), RecordType::A | RecordType::ANY) {
        return Some(Vec::new());
    }
    let mut addresses: Vec<_> = addresses.iter().copied().collect();
    shuffle(&mut addresses, chance);
    addresses.truncate(ANSWERS_MAX);
    Some(addresses.into_iter().map(|address| record(name, RData::A(A(address)))).collect())
}

/// True for the address of a name without dots, which only means something here. The outside is not told of it.
fn is_single(query: &Query) -> bool {
    let addresses = matches!(query.query_type(), RecordType::A | RecordType::AAAA);
    addresses && query.name().num_labels() <= 1
}

fn record(name: &Name, data: RData) -> Record {
    Record::from_rdata(name.clone(), TTL, data)
}

fn answer(question: &Message, query: &Query, answers: Vec<Record>) -> Verdict {
    let mut message = Message::response(question.metadata.id, OpCode::Query);
    message.metadata.recursion_desired = question.metadata.recursion_desired;
    message.metadata.recursion_available = true;
    message.add_query(query.clone());
    message.add_answers(answers);
    encode(&message)
}

fn encode(message: &Message) -> Verdict {
    message.to_vec().map_or(Verdict::Ignore, Verdict::Answer)
}

fn shuffle<T>(items: &mut [T], chance: &mut Chance) {
    for end in (1..items.len()).rev() {
        let other = chance.below(end as u64 + 1) as usize;
        items.swap(end, other);
    }
}

/// How long an answer may be kept, in seconds.
const TTL: u32 = 600;
/// As many addresses as fit into a datagram of 512 bytes together with the longest name.
const ANSWERS_MAX: usize = 14;
/// The bytes before the first question.
const HEADER: usize = 12;

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use proptest::prelude::*;

    use super::*;
    use crate::sandbox::{Interface, Mac, Sandbox, SandboxSpec, ServiceShare, Standing};

    fn records() -> Records {
        let task = |slot: u8| Sandbox {
            container: format!("{slot:064x}"),
            netns: PathBuf::new(),
            interface: Some(Interface {
                address: [172, 17, 0, slot].into(),
                prefix: 16,
                gateway: [172, 17, 0, 1].into(),
                mac: Mac::of([172, 17, 0, slot].into()),
            }),
            ports: Vec::new(),
            standing: Standing::Serving,
            spec: SandboxSpec {
                name: format!("web.{slot}.abc"),
                service: Some(ServiceShare { name: "Web".to_owned(), ..ServiceShare::default() }),
                ..SandboxSpec::default()
            },
        };
        Records::of([task(2), task(3)].iter())
    }

    fn ask(name: &str, kind: RecordType) -> Vec<u8> {
        let mut message = Message::query();
        message.metadata.id = 77;
        message.add_query(Query::query(Name::from_ascii(name).unwrap(), kind));
        message.to_vec().unwrap()
    }

    fn check(name: &str, kind: RecordType, expected: &str) {
        let guest = format!("{:064x}", 2);
        let found = match judge(&ask(name, kind), &guest, &records(), &mut Chance::from_number(1)) {
            Verdict::Answer(bytes) => {
                let message = Message::from_vec(&bytes).unwrap();
                assert_eq!(message.metadata.id, 77);
                let mut data: Vec<_> = message.answers.iter().map(|record| record.data.to_string()).collect();
                data.sort();
                format!("{} {}", message.metadata.response_code, data.join(" "))
            }
            other => format!("{other:?}"),
        };
        assert_eq!(found.trim_end(), expected, "{name} {kind}");
    }

    #[test]
    fn names_of_this_host_are_answered() {
        check("web.", RecordType::A, "No Error 172.17.0.2 172.17.0.3");
        check("WEB.", RecordType::A, "No Error 172.17.0.2 172.17.0.3");
        check("tasks.web.", RecordType::A, "No Error 172.17.0.2 172.17.0.3");
        check("web.2.abc.", RecordType::A, "No Error 172.17.0.2");
        check("web.bridge.", RecordType::A, "No Error 172.17.0.2 172.17.0.3");
        check("000000000000.", RecordType::A, "No Error 172.17.0.2 172.17.0.3");
        check("web.", RecordType::AAAA, "No Error");
        check("web.", RecordType::MX, "No Error");
        check("3.0.17.172.in-addr.arpa.", RecordType::PTR, "No Error web.3.abc.bridge.");
    }

    #[test]
    fn other_names_are_asked_of_others_unless_they_have_no_dot() {
        check("nobody.", RecordType::A, "No Error");
        check("nobody.", RecordType::MX, "Forward");
        check("example.org.", RecordType::A, "Forward");
        check("web.other.", RecordType::A, "Forward");
        check("9.9.9.9.in-addr.arpa.", RecordType::PTR, "Forward");
    }

    #[test]
    fn an_answer_is_never_answered() {
        let response = Message::response(1, OpCode::Query).to_vec().unwrap();
        assert_eq!(judge(&response, "", &records(), &mut Chance::from_number(1)), Verdict::Ignore);
        assert_eq!(refuse(&response, ResponseCode::ServFail), Verdict::Ignore);
    }

    proptest! {
        #[test]
        fn garbage_is_borne(bytes: Vec<u8>) {
            judge(&bytes, "", &records(), &mut Chance::from_number(1));
        }

        #[test]
        fn a_damaged_question_is_borne(place in 0usize..40, byte: u8, cut in 0usize..40) {
            let mut bytes = ask("tasks.web.", RecordType::A);
            let place = place % bytes.len();
            bytes[place] = byte;
            bytes.truncate(bytes.len().saturating_sub(cut).max(1));
            judge(&bytes, "", &records(), &mut Chance::from_number(1));
        }
    }
}
