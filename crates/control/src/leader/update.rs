//! Goes from an older spec to the present one, slot after slot, or back.

use model::Cx;
use store::Draft;

use super::agenda::Agenda;

/// Makes the next steps of each update that wants a look.
pub(super) fn run(_: &mut Draft, _: &mut Agenda, _: &mut Cx<'_>) {}
