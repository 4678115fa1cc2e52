//! Time and chance: the only place that asks the system for either.
//!
//! Decisions take them as arguments, so that a test says what time it is.

use std::{
    hash::{BuildHasher, Hasher, RandomState},
    sync::Arc,
};

use jiff::Timestamp;

/// Says what time it is; cheap to clone.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Clock {
    /// The system's clock.
    pub fn system() -> Self {
        #[expect(clippy::disallowed_methods, reason = "this is the clock that everybody else takes")]
        Self(Arc::new(Timestamp::now))
    }

    /// A clock that panics when it is asked.
    #[cfg(test)]
    pub(crate) fn broken() -> Self {
        Self(Arc::new(|| panic!("the clock is broken on purpose")))
    }

    /// A clock that panics the first time and stands still from then on.
    #[cfg(test)]
    pub(crate) fn broken_once(at: Timestamp) -> Self {
        let broken = std::sync::atomic::AtomicBool::new(true);
        Self(Arc::new(move || {
            assert!(!broken.swap(false, std::sync::atomic::Ordering::Relaxed), "the clock is broken on purpose");
            at
        }))
    }

    /// A clock that stands still.
    pub fn fixed(at: Timestamp) -> Self {
        Self(Arc::new(move || at))
    }

    /// What time it is.
    pub fn now(&self) -> Timestamp {
        (self.0)()
    }
}

/// A number in `0.0..1.0` to spread retries with.
pub fn chance() -> f64 {
    f64::from(draw()) / (f64::from(u32::MAX) + 1.0)
}

/// Any number. Not for secrets: it is the seed of a hash map.
pub fn draw() -> u32 {
    u32::try_from(RandomState::new().build_hasher().finish() >> 32).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chance_is_a_fraction_and_differs() {
        let draws: Vec<f64> = (0..64).map(|_| chance()).collect();
        assert!(draws.iter().all(|draw| (0.0..1.0).contains(draw)));
        assert!(draws.windows(2).any(|pair| (pair[0] - pair[1]).abs() > f64::EPSILON));
    }
}
