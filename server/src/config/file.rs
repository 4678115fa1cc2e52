//! Reading a mounted file up to a bound: the one way in which this process reads one.

use std::{
    fs::File,
    io::{self, Read as _},
    path::Path,
};

/// The content of the file at `path`, of at most `max_bytes`; a larger one is refused and never held.
pub(crate) fn read(path: &Path, max_bytes: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    // One byte more tells a file of the largest size from a larger one, whatever its length was said to be.
    File::open(path)?.take(max_bytes as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > max_bytes { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(bytes) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_the_largest_size_is_read_and_a_larger_one_is_refused() {
        let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"));
        let whole = std::fs::read(path).unwrap();
        assert_eq!(read(path, whole.len()).unwrap(), whole);
        assert_eq!(read(path, whole.len() - 1).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
    }

    #[test]
    fn what_has_no_end_is_refused_too() {
        assert_eq!(read(Path::new("/dev/zero"), 16).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
    }
}
