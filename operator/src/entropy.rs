//! Random bytes for secrets: the only place that asks the operating system for them.
//!
//! They come in as an argument, as the time does, so that a test says what they are.

use std::sync::Arc;

/// 256 bits that nobody can guess. Neither `Debug` nor `Clone`: it is shown on the one line that sends it.
pub struct Random256([u8; 32]);

impl Random256 {
    /// For the request that stores it.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

/// The operating system has no random bytes.
#[derive(Debug, thiserror::Error)]
#[error("the operating system gives no random bytes")]
pub struct NoEntropy(#[source] getrandom::Error);

/// Draws them; cheap to clone.
#[derive(Clone)]
pub struct Entropy(Arc<dyn Fn() -> Result<Random256, NoEntropy> + Send + Sync>);

impl Entropy {
    /// The operating system's.
    pub fn system() -> Self {
        Self(Arc::new(|| {
            let mut bytes = [0; 32];
            getrandom::fill(&mut bytes).map_err(NoEntropy)?;
            Ok(Random256(bytes))
        }))
    }

    /// The same each time.
    #[cfg(test)]
    pub(crate) fn fixed(byte: u8) -> Self {
        Self(Arc::new(move || Ok(Random256([byte; 32]))))
    }

    /// 256 new bits.
    pub fn draw(&self) -> Result<Random256, NoEntropy> {
        (self.0)()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_draws_are_equal() {
        let entropy = Entropy::system();
        let draw = || entropy.draw().unwrap().0;
        assert_ne!(draw(), draw());
        assert_ne!(draw(), [0; 32]);
    }
}
