//! Files of this process: read up to a bound, on a thread of their own, with a deadline.
//!
//! Below everything that has files: what a file means is said by whoever asks for it.

mod read;
mod reader;

pub(crate) use read::read;
pub(crate) use reader::Reader;
