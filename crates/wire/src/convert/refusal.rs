//! Refusals become gRPC statuses, and back. The only place where one is made of the other.

use model::{Refusal, RefusalKind};
use tonic::{Code, Status};

use super::Malformed;

/// The status that says this no.
pub fn status_of(refusal: &Refusal) -> Status {
    let Refusal { kind, message } = refusal;
    let code = match kind {
        RefusalKind::Invalid => Code::InvalidArgument,
        RefusalKind::NotFound => Code::NotFound,
        RefusalKind::AlreadyExists => Code::AlreadyExists,
        RefusalKind::Precondition => Code::FailedPrecondition,
        RefusalKind::Denied => Code::PermissionDenied,
        RefusalKind::Unimplemented => Code::Unimplemented,
        RefusalKind::Unavailable => Code::Unavailable,
        RefusalKind::Unknown => Code::Unknown,
    };
    Status::new(code, message)
}

/// The no that this status says. What was cut short may be tried again, so it is [`RefusalKind::Unavailable`].
pub fn refusal_of(status: &Status) -> Refusal {
    let kind = match status.code() {
        Code::InvalidArgument | Code::OutOfRange => RefusalKind::Invalid,
        Code::NotFound => RefusalKind::NotFound,
        Code::AlreadyExists => RefusalKind::AlreadyExists,
        Code::FailedPrecondition => RefusalKind::Precondition,
        Code::PermissionDenied | Code::Unauthenticated => RefusalKind::Denied,
        Code::Unimplemented => RefusalKind::Unimplemented,
        Code::Unavailable
        | Code::Aborted
        | Code::Cancelled
        | Code::DeadlineExceeded
        | Code::ResourceExhausted => RefusalKind::Unavailable,
        Code::Ok | Code::Unknown | Code::Internal | Code::DataLoss => RefusalKind::Unknown,
    };
    Refusal::new(kind, status.message())
}

impl From<Malformed> for Status {
    fn from(malformed: Malformed) -> Self {
        Self::invalid_argument(malformed.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_keeps_its_kind_and_words_on_the_wire() {
        let kinds = [
            RefusalKind::Invalid,
            RefusalKind::NotFound,
            RefusalKind::AlreadyExists,
            RefusalKind::Precondition,
            RefusalKind::Denied,
            RefusalKind::Unimplemented,
            RefusalKind::Unavailable,
            RefusalKind::Unknown,
        ];
        for kind in kinds {
            let refusal = Refusal::new(kind, "update out of sequence");
            assert_eq!(refusal_of(&status_of(&refusal)), refusal);
        }
    }
}
