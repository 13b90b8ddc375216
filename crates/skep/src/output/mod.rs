//! What a person sees: tables, templates, sizes and times in words.

pub(crate) mod archive;
pub(crate) mod bar;
pub(crate) mod board;
pub(crate) mod format;
pub(crate) mod inspect;
pub(crate) mod progress;
pub(crate) mod streams;
pub(crate) mod table;
pub(crate) mod transfer;
pub(crate) mod units;
pub(crate) mod width;
