//! Reading a mounted file up to a bound: the one way in which this process reads one.

use std::{
    fs::{self, File},
    io::{self, Read as _},
    path::Path,
};

/// The content of the file at `path`, of at most `max_bytes`; a larger one is refused and never held.
pub(crate) fn read(path: &Path, max_bytes: usize) -> io::Result<Vec<u8>> {
    // Before it is opened: that alone would wait for the other end of a pipe.
    if !fs::metadata(path)?.is_file() {
        return Err(io::ErrorKind::Unsupported.into());
    }
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
    fn a_file_that_is_said_to_be_empty_is_bounded_too() {
        assert_eq!(read(Path::new("/proc/self/status"), 16).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
    }

    #[test]
    fn what_is_no_regular_file_is_not_opened() {
        for path in ["/dev/zero", "/dev/null", "/"] {
            assert_eq!(read(Path::new(path), 16).unwrap_err().kind(), io::ErrorKind::Unsupported, "{path}");
        }
    }
}
