//! What a leader says that it has done is in the committed book.

use std::collections::BTreeSet;

use control::leader::Answer;
use model::Meta;
use store::State;

use crate::mail::Reply;

/// To be asked of everything that a leader answers. What was changed again has a later version, and what was removed
/// with it is among the `removed`.
pub fn acknowledged(book: &State, removed: &BTreeSet<String>, reply: &Reply) -> Result<(), String> {
    let Reply::Answered(_, Ok(answer)) = reply else { return Ok(()) };
    let kept = |id: &dyn ToString, said: &Meta, kept: Option<&Meta>| {
        kept.map_or_else(|| removed.contains(&id.to_string()), |kept| kept.version >= said.version)
    };
    let is_kept = match answer {
        Answer::Service(it) => kept(&it.id, &it.meta, book.services.get(it.id).map(|it| &it.meta)),
        Answer::Node(it) => kept(&it.id, &it.meta, book.nodes.get(it.id).map(|it| &it.meta)),
        Answer::Cluster(it) => kept(&it.id, &it.meta, book.clusters.get(it.id).map(|it| &it.meta)),
        Answer::Network(it) => kept(&it.id, &it.meta, book.networks.get(it.id).map(|it| &it.meta)),
        Answer::Secret(it) => kept(&it.id, &it.meta, book.secrets.get(it.id).map(|it| &it.meta)),
        Answer::Config(it) => kept(&it.id, &it.meta, book.configs.get(it.id).map(|it| &it.meta)),
        _ => true,
    };
    if is_kept { Ok(()) } else { Err(format!("{answer:?} was said and is not in the book")) }
}
