//! How much of something one process holds at a time, and how much of it for one caller: requests in flight, open
//! streams. More is refused at once, not queued.
//!
//! Stands behind authentication, so that only known callers can fill it. A request takes its place before its body is
//! read, so that places bound memory.

use std::{
    collections::HashMap,
    hash::{Hash, Hasher},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::auth::Principal;

/// The places. A cheap handle; one of each kind for a process.
#[derive(Clone, Debug)]
pub struct Places {
    taken: Arc<Mutex<Taken>>,
    /// How many there are.
    all: usize,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    /// Nobody who holds none.
    by_caller: HashMap<Caller, usize>,
}

/// A place, until it is dropped.
#[derive(Debug)]
pub struct Place {
    places: Places,
    caller: Caller,
}

/// Why there is no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoPlace {
    /// All are taken.
    Full,
    /// The caller has its share.
    OfCaller,
}

/// One caller, whatever was granted to the token at hand.
#[derive(Clone, Debug)]
struct Caller(Arc<Principal>);

impl Caller {
    fn identity(&self) -> (&str, &str) {
        (self.0.issuer(), self.0.subject())
    }
}

impl PartialEq for Caller {
    fn eq(&self, other: &Self) -> bool {
        self.identity() == other.identity()
    }
}

impl Eq for Caller {}

impl Hash for Caller {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.identity().hash(state);
    }
}

impl Places {
    /// So many places.
    pub fn new(all: usize) -> Self {
        Self { taken: Arc::default(), all }
    }

    /// A place for `principal`, which may hold `of_caller` of them.
    pub fn take(&self, principal: &Arc<Principal>, of_caller: usize) -> Result<Place, NoPlace> {
        let caller = Caller(Arc::clone(principal));
        let mut taken = self.lock();
        if taken.all >= self.all {
            return Err(NoPlace::Full);
        }
        let held = taken.by_caller.get(&caller).copied().unwrap_or_default();
        // Without authentication all callers are one.
        if held >= of_caller && !principal.is_anonymous() {
            return Err(NoPlace::OfCaller);
        }
        taken.by_caller.insert(caller.clone(), held + 1);
        taken.all += 1;
        drop(taken);
        Ok(Place { places: self.clone(), caller })
    }

    /// How many are taken.
    pub fn taken(&self) -> usize {
        self.lock().all
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.lock();
        taken.all -= 1;
        if let Some(of_caller) = taken.by_caller.get_mut(&self.caller) {
            *of_caller -= 1;
            if *of_caller == 0 {
                taken.by_caller.remove(&self.caller);
            }
        }
    }
}

#[cfg(test)]
impl Places {
    /// All of them, so that the next one finds none.
    pub(crate) fn take_all(&self) -> Vec<Place> {
        let anonymous = Arc::new(Principal::anonymous());
        (0..self.all).map(|_| self.take(&anonymous, 0).unwrap()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(subject: &str) -> Arc<Principal> {
        Arc::new(Principal::new("https://login.example.com", subject))
    }

    fn refusal(places: &Places, principal: &Arc<Principal>) -> Option<NoPlace> {
        places.take(principal, 2).err()
    }

    #[test]
    fn a_caller_has_its_share_and_gets_it_back() {
        let places = Places::new(8);
        let held: Vec<_> = (0..2).map(|_| places.take(&caller("one"), 2).unwrap()).collect();
        assert_eq!(refusal(&places, &caller("one")), Some(NoPlace::OfCaller));
        assert_eq!(refusal(&places, &caller("two")), None);
        drop(held);
        assert_eq!(refusal(&places, &caller("one")), None);
        let taken = places.lock();
        assert_eq!((taken.all, taken.by_caller.len()), (0, 0));
    }

    #[test]
    fn without_authentication_all_places_are_everybodys() {
        let places = Places::new(8);
        let held = places.take_all();
        assert_eq!(held.len(), 8);
        assert_eq!(refusal(&places, &Arc::new(Principal::anonymous())), Some(NoPlace::Full));
        assert_eq!(refusal(&places, &caller("one")), Some(NoPlace::Full));
    }
}
