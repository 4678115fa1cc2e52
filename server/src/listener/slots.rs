//! How many connections there may be, in all and from one address.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::Limits;

/// Counts connections. A cheap handle.
#[derive(Clone)]
pub(super) struct Slots {
    limits: Limits,
    taken: Arc<Mutex<Taken>>,
}

#[derive(Default)]
struct Taken {
    all: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// One connection's slot, until it is dropped.
pub(super) struct Slot {
    address: IpAddr,
    taken: Arc<Mutex<Taken>>,
}

impl Slots {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, taken: Arc::default() }
    }

    /// A slot for a connection from `address`, or why there is none: a metric's label.
    pub(super) fn take(&self, address: IpAddr) -> Result<Slot, &'static str> {
        // An IPv4 client looks different on a dual-stack socket, and is the same.
        let address = address.to_canonical();
        let mut taken = lock(&self.taken);
        if taken.all >= self.limits.connections {
            return Err("connections");
        }
        let from_here = taken.by_address.get(&address).copied().unwrap_or_default();
        if from_here >= self.limits.connections_per_address {
            return Err("connections_per_address");
        }
        taken.by_address.insert(address, from_here + 1);
        taken.all += 1;
        Ok(Slot { address, taken: Arc::clone(&self.taken) })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut taken = lock(&self.taken);
        taken.all -= 1;
        if let Some(from_here) = taken.by_address.get_mut(&self.address) {
            *from_here -= 1;
            if *from_here == 0 {
                taken.by_address.remove(&self.address);
            }
        }
    }
}

fn lock(taken: &Mutex<Taken>) -> MutexGuard<'_, Taken> {
    taken.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_its_own_limit_and_gets_its_slots_back() {
        let slots = Slots::new(Limits { connections: 3, connections_per_address: 2 });
        let [one, two] = ["192.0.2.1", "192.0.2.2"].map(|text| text.parse::<IpAddr>().unwrap());
        let held = (slots.take(one).ok().unwrap(), slots.take(one).ok().unwrap());
        assert_eq!(slots.take(one).err(), Some("connections_per_address"));
        assert_eq!(slots.take("::ffff:192.0.2.1".parse().unwrap()).err(), Some("connections_per_address"));
        let other = slots.take(two).ok().unwrap();
        assert_eq!(slots.take(two).err(), Some("connections"));
        drop((held, other));
        assert!(slots.take(one).is_ok());
        assert!(lock(&slots.taken).by_address.is_empty());
    }
}
