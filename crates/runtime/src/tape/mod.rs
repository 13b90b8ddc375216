//! Archives (tar): read, unpacked and written, from streams and to streams of which little is held at once.
//!
//! In: bytes that may be hostile, or folders. Out: files in folders, or bytes. Nothing here knows what an archive is for:
//! layers of images and files of containers pass through alike.

pub(crate) mod feed;
pub(crate) mod packing;
pub(crate) mod reader;
pub(crate) mod unpack;
pub(crate) mod writer;

pub(crate) use reader::{MalformedTape, Tape, TapeEntry, TapeKind, malformed};
