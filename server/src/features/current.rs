//! All providers, the catalog that follows them, and who may call what of it.
//!
//! What the caller may not see, it cannot tell from what does not exist. Nothing runs here: see [`super::call`].

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwap;

use super::{Call, CallKind, Catalog, CatalogError, Changes, CompletionReference, DEFAULT_DEADLINE, Offer, Provider};
use crate::{
    auth::Principal,
    gateway::{Decision, Policy, Target, decide},
};

/// Everything that is offered. Built once; the catalog in it follows the providers.
pub struct Features {
    /// In the order of every list.
    providers: Vec<Arc<dyn Provider>>,
    /// Read by every request; replaced by the first one after a change.
    current: ArcSwap<Current>,
    /// Held while a catalog is built, so that one change is one building.
    building: Mutex<()>,
    changes: Changes,
}

struct Current {
    /// Generation of [`Changes`] that was looked at.
    generation: u64,
    catalog: Arc<Catalog>,
}

/// Why a call may not run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Denied {
    /// It does not exist.
    Unknown,
    /// The policy hides it from this caller, who must get the answer for [`Denied::Unknown`].
    Hidden,
    /// The token lacks scopes; these are needed, all of them.
    MissingScopes(Vec<String>),
    /// It is for other callers, whatever scopes this one gets.
    NotForCaller,
}

impl Features {
    /// Builds the catalog; the order of `providers` is the order of every list.
    pub fn new(providers: Vec<Arc<dyn Provider>>, changes: Changes) -> Result<Self, CatalogError> {
        let generation = changes.generation();
        let catalog = Arc::new(Catalog::new(&offers(&providers))?);
        let current = ArcSwap::from_pointee(Current { generation, catalog });
        Ok(Self { providers, current, building: Mutex::default(), changes })
    }

    /// What exists at this moment, before any filtering. One request asks once and keeps the answer.
    pub fn catalog(&self) -> Arc<Catalog> {
        let current = self.current.load();
        if current.generation == self.changes.generation() {
            return Arc::clone(&current.catalog);
        }
        self.rebuilt()
    }

    /// The catalog after a change. Offers that make none leave the last good one, until the next change.
    fn rebuilt(&self) -> Arc<Catalog> {
        let _building = self.building.lock().unwrap_or_else(PoisonError::into_inner);
        let generation = self.changes.generation();
        let current = self.current.load();
        if current.generation == generation {
            return Arc::clone(&current.catalog);
        }
        let catalog = match Catalog::new(&offers(&self.providers)) {
            Ok(catalog) => Arc::new(catalog),
            Err(problem) => {
                tracing::error!("a changed offer is not used, the last good one stays: {problem}");
                Arc::clone(&current.catalog)
            }
        };
        self.current.store(Arc::new(Current { generation, catalog: Arc::clone(&catalog) }));
        catalog
    }

    /// Where changes are told.
    pub fn changes(&self) -> &Changes {
        &self.changes
    }

    /// What `kind` asks for out of `catalog`, if `principal` may have it; else `kind` comes back, with the reason.
    pub fn call(
        &self,
        catalog: &Arc<Catalog>,
        policy: &Policy,
        principal: &Principal,
        kind: CallKind,
    ) -> Result<Call, (CallKind, Denied)> {
        let (target, providers, deadline) = found(catalog, &kind);
        // Also about what does not exist: the time that it takes must not tell that from what is hidden.
        let decision = decide(policy, principal, target);
        if providers.is_empty() {
            return Err((kind, Denied::Unknown));
        }
        match decision {
            Decision::Hidden => return Err((kind, Denied::Hidden)),
            Decision::MissingScopes(scopes) => return Err((kind, Denied::MissingScopes(scopes))),
            Decision::NotForCaller => return Err((kind, Denied::NotForCaller)),
            Decision::Allow => {}
        }
        let providers = providers.into_iter().map(|index| Arc::clone(&self.providers[index])).collect();
        let catalog = matches!(kind, CallKind::Tool { .. }).then(|| Arc::clone(catalog));
        Ok(Call { kind, providers, catalog, deadline })
    }
}

/// What to decide about, who is asked in turn, and how long it may take.
fn found<'a>(catalog: &Catalog, kind: &'a CallKind) -> (Target<'a>, Vec<usize>, Duration) {
    let one = |provider: Option<usize>| provider.into_iter().collect();
    let others = match kind {
        CallKind::Tool { name, .. } => {
            let entry = catalog.tool(name);
            let deadline = entry.map_or(DEFAULT_DEADLINE, |entry| entry.deadline);
            return (Target::Tool(name), one(entry.map(|entry| entry.provider)), deadline);
        }
        CallKind::Resource { uri } => catalog.providers_of_resource(uri),
        CallKind::Prompt { name, .. } => one(catalog.provider_of_prompt(name)),
        CallKind::Completion { reference: CompletionReference::Prompt(name), .. } => {
            one(catalog.provider_of_prompt(name))
        }
        CallKind::Completion { reference: CompletionReference::Resource(uri), .. } => {
            one(catalog.provider_of_template(uri))
        }
    };
    (Target::Other, others, DEFAULT_DEADLINE)
}

fn offers(providers: &[Arc<dyn Provider>]) -> Vec<Arc<Offer>> {
    providers.iter().map(|provider| provider.offer()).collect()
}

#[cfg(test)]
mod tests;
