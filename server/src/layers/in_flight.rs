//! How many requests one process works on at a time, and how many of one caller; more are sent away at
//! once, not queued.
//!
//! Stands behind authentication, so that only known callers can fill it, and before the body is read,
//! so that it bounds memory.

use std::{
    collections::HashMap,
    hash::{Hash, Hasher},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{auth::Principal, error::Error};

/// Requests that are worked on at a time. Chosen: several times what two cores can keep busy, for
/// tools that mostly wait.
const MAX_IN_FLIGHT: usize = 512;

/// Of these, the requests of one caller. Chosen: a quarter, so that three more find places beside one
/// that takes all it can get.
const MAX_OF_CALLER: usize = MAX_IN_FLIGHT / 4;

/// The places. One for each process.
#[derive(Clone, Debug, Default)]
pub struct Places(Arc<Mutex<Taken>>);

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    /// Nobody who has no request in flight.
    by_caller: HashMap<Caller, usize>,
}

/// A place, until it is dropped.
#[derive(Debug)]
pub struct Place<'a> {
    places: &'a Places,
    caller: Caller,
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
    /// A place for a request of `principal`, to be held for as long as the request is worked on.
    pub fn take(&self, principal: &Arc<Principal>) -> Result<Place<'_>, Error> {
        let caller = Caller(Arc::clone(principal));
        let mut taken = self.lock();
        if taken.all >= MAX_IN_FLIGHT {
            return Err(Error::Overloaded);
        }
        let of_caller = taken.by_caller.get(&caller).copied().unwrap_or_default();
        // Without authentication all callers are one.
        if of_caller >= MAX_OF_CALLER && !principal.is_anonymous() {
            return Err(Error::TooManyOfCaller);
        }
        taken.by_caller.insert(caller.clone(), of_caller + 1);
        taken.all += 1;
        drop(taken);
        Ok(Place { places: self, caller })
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place<'_> {
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
    /// All of them, so that the next request finds none.
    pub(crate) fn take_all(&self) -> Vec<Place<'_>> {
        let anonymous = Arc::new(Principal::anonymous());
        (0..MAX_IN_FLIGHT).map(|_| self.take(&anonymous).unwrap()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::ScopeSet;

    fn caller(subject: &str) -> Arc<Principal> {
        Arc::new(Principal::new("https://login.example.com", subject, None, ScopeSet::default()))
    }

    fn refusal(places: &Places, principal: &Arc<Principal>) -> Option<&'static str> {
        places.take(principal).err().map(|error| error.reason())
    }

    #[test]
    fn a_caller_has_a_quarter_of_the_places_and_gets_them_back() {
        let places = Places::default();
        let held: Vec<_> = (0..MAX_OF_CALLER).map(|_| places.take(&caller("one")).unwrap()).collect();
        assert_eq!(refusal(&places, &caller("one")), Some("too_many_of_caller"));
        assert_eq!(refusal(&places, &caller("two")), None);
        drop(held);
        assert_eq!(refusal(&places, &caller("one")), None);
        let taken = places.lock();
        assert_eq!((taken.all, taken.by_caller.len()), (0, 0));
    }

    #[test]
    fn without_authentication_all_places_are_everybodys() {
        let places = Places::default();
        let held = places.take_all();
        assert_eq!(held.len(), MAX_IN_FLIGHT);
        assert_eq!(refusal(&places, &Arc::new(Principal::anonymous())), Some("overloaded"));
        assert_eq!(refusal(&places, &caller("one")), Some("overloaded"));
    }
}
