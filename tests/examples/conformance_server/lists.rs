//! What changes while the server runs: the lists of tools and prompts, and the watched resource.

use std::sync::{
    Arc, PoisonError, RwLock,
    atomic::{AtomicU64, Ordering},
};

use server::features::{Change, Changes, Offer};

use crate::{prompts, resources, tools};

/// The offer of this moment. A trigger changes it first and tells afterwards.
pub(crate) struct Lists {
    changes: Changes,
    offer: RwLock<Arc<Offer>>,
    /// How often the watched resource was changed.
    version: AtomicU64,
}

impl Lists {
    pub(crate) fn new(changes: Changes) -> Self {
        let offer = Offer {
            tools: tools::offered(),
            resources: resources::offered(),
            templates: resources::templates(),
            prompts: prompts::offered(),
            completions: true,
            resource_updates: true,
            logging: true,
        };
        Self { changes, offer: RwLock::new(Arc::new(offer)), version: AtomicU64::new(1) }
    }

    pub(crate) fn offer(&self) -> Arc<Offer> {
        Arc::clone(&self.offer.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// One more tool at the end of the list, or one less.
    pub(crate) fn change_tools(&self) {
        self.change(|offer| toggle(&mut offer.tools, tools::dynamic(), |a, b| a.name == b.name));
        self.changes.tell(Change::Tools);
    }

    /// One more prompt at the end of the list, or one less.
    pub(crate) fn change_prompts(&self) {
        self.change(|offer| toggle(&mut offer.prompts, prompts::dynamic(), |a, b| a.name == b.name));
        self.changes.tell(Change::Prompts);
    }

    /// Other content of the watched resource.
    pub(crate) fn change_resource(&self) {
        self.version.fetch_add(1, Ordering::AcqRel);
        self.changes.tell(Change::Resource(resources::WATCHED.into()));
    }

    fn change(&self, change: impl FnOnce(&mut Offer)) {
        let mut offer = self.offer.write().unwrap_or_else(PoisonError::into_inner);
        let mut changed = Offer::clone(&offer);
        change(&mut changed);
        *offer = Arc::new(changed);
    }
}

fn toggle<T>(list: &mut Vec<T>, item: T, same: impl Fn(&T, &T) -> bool) {
    match list.iter().position(|listed| same(listed, &item)) {
        Some(place) => drop(list.remove(place)),
        None => list.push(item),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trigger_changes_the_list_and_then_tells() {
        let changes = Changes::default();
        let mut heard = changes.listen();
        let lists = Lists::new(changes);
        let before = lists.offer().tools.len();
        lists.change_tools();
        assert_eq!(lists.offer().tools.len(), before + 1);
        assert_eq!(heard.try_recv(), Ok(Change::Tools));
        lists.change_tools();
        assert_eq!(lists.offer().tools.len(), before);
        lists.change_prompts();
        lists.change_resource();
        assert_eq!(lists.version(), 2);
        let told: Vec<_> = std::iter::from_fn(|| heard.try_recv().ok()).collect();
        assert_eq!(told, [Change::Tools, Change::Prompts, Change::Resource(resources::WATCHED.into())]);
    }
}
