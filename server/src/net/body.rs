//! Reading a response's body up to a bound.
//!
//! The announced length is believed only when it is too large: whatever arrives is counted, and the first
//! chunk that would pass the bound ends the reading.

use reqwest::Response;

/// Why a body was not read.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// Announced or found to be longer than the bound.
    #[error("body has more than {max_bytes} bytes")]
    TooLarge {
        /// The bound.
        max_bytes: usize,
    },
    /// The connection failed, or the deadline passed.
    #[error("body could not be read")]
    Read(#[source] reqwest::Error),
}

/// The whole body of `response`, of at most `max_bytes`. Never holds more than that and one chunk.
pub async fn read_bounded(mut response: Response, max_bytes: usize) -> Result<Vec<u8>, BodyError> {
    let too_large = BodyError::TooLarge { max_bytes };
    if response.content_length().is_some_and(|length| length > max_bytes as u64) {
        return Err(too_large);
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(BodyError::Read)? {
        if chunk.len() > max_bytes - body.len() {
            return Err(too_large);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
