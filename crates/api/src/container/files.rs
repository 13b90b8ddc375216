//! Files of a container: what is at a path, and what has changed.

use serde::{Deserialize, Serialize};

use crate::time::Time;

/// What is at a path in a container, as the header `X-Docker-Container-Path-Stat` holds it in base64.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PathStat {
    /// The last part of the path.
    pub name: String,
    /// In bytes.
    pub size: i64,
    /// Kind and permissions, in Go's numbers: see [`go_mode`].
    pub mode: u32,
    /// When its contents changed last.
    pub mtime: Time,
    /// Where it leads to, if it is a link.
    pub link_target: String,
}

/// The kernel's kind and permissions in the numbers of Go's `os.FileMode`, which clients expect.
pub fn go_mode(mode: u32) -> u32 {
    let kind = match mode & 0o170_000 {
        0o040_000 => 1 << 31,           // a folder
        0o120_000 => 1 << 27,           // a link
        0o060_000 => 1 << 26,           // a block device
        0o020_000 => 1 << 26 | 1 << 21, // a character device
        0o010_000 => 1 << 25,           // a named pipe
        0o140_000 => 1 << 24,           // a socket
        _ => 0,
    };
    let special = [(0o4000, 1 << 23), (0o2000, 1 << 22), (0o1000, 1 << 20)];
    let special = special.into_iter().filter(|(bit, _)| mode & bit != 0).map(|(_, go)| go);
    special.fold(kind | mode & 0o777, |sum, bit| sum | bit)
}

/// One changed path of `GET /containers/{id}/changes`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Change {
    /// Where.
    pub path: String,
    /// 0 changed, 1 added, 2 gone.
    pub kind: u8,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_told_in_the_numbers_of_go() {
        for (mode, go) in [
            (0o100_644, 0o644),
            (0o041_777, 1 << 31 | 1 << 20 | 0o777),
            (0o104_755, 1 << 23 | 0o755),
            (0o120_777, 1 << 27 | 0o777),
            (0o020_666, 1 << 26 | 1 << 21 | 0o666),
        ] {
            assert_eq!(go_mode(mode), go, "{mode:o}");
        }
    }
}
