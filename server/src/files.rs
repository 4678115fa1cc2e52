//! Files of this process: read up to a bound, written whole or not at all, on a thread of their own, with a deadline.
//!
//! Below everything that has files: what a file means is said by whoever asks for it.

mod read;
mod reader;
mod write;

pub(crate) use read::read;
pub(crate) use reader::Reader;
pub(crate) use write::{remove, replace};
