//! Random bytes for secrets: the only place that asks the operating system for them.
//!
//! They come in as an argument, as the time does, so that a test says what they are.

use std::sync::Arc;

/// 256 bits that nobody can guess. Neither `Debug` nor `Clone`: it is shown on the one line that sends it.
pub struct SealingKey([u8; 32]);

impl SealingKey {
    /// For the request that stores it.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

/// The operating system has no random bytes.
#[derive(Debug, thiserror::Error)]
#[error("the operating system gives no random bytes")]
pub struct NoEntropy(#[source] getrandom::Error);

/// Draws keys; cheap to clone.
#[derive(Clone)]
pub struct Entropy(Arc<dyn Fn() -> Result<SealingKey, NoEntropy> + Send + Sync>);

impl Entropy {
    /// The operating system's.
    pub fn system() -> Self {
        Self(Arc::new(|| {
            let mut bytes = [0; 32];
            getrandom::fill(&mut bytes).map_err(NoEntropy)?;
            Ok(SealingKey(bytes))
        }))
    }

    /// The same key each time.
    #[cfg(test)]
    pub(crate) fn fixed(byte: u8) -> Self {
        Self(Arc::new(move || Ok(SealingKey([byte; 32]))))
    }

    /// A new key.
    pub fn sealing_key(&self) -> Result<SealingKey, NoEntropy> {
        (self.0)()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_keys_are_equal() {
        let entropy = Entropy::system();
        let draw = || entropy.sealing_key().unwrap().0;
        assert_ne!(draw(), draw());
        assert_ne!(draw(), [0; 32]);
    }
}
