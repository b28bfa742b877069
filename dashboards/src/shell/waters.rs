//! How rivers flow, worked out once for each registry that comes into force.

use std::sync::{Arc, Mutex, PoisonError};

use model::{registry::Registry, river::Course};
use store::Journal;

use crate::view::registry::RegistryView;

/// What is known of the registry in force; one is kept.
#[derive(Debug, Default)]
pub struct Waters(Mutex<Option<Arc<Water>>>);

/// A registry with what follows from it.
#[derive(Debug)]
pub(crate) struct Water {
    pub(crate) registry: Arc<Registry>,
    pub(crate) course: Course,
    pub(crate) view: RegistryView,
}

impl Waters {
    /// Those of the registry in force, an empty one before the first import.
    pub(super) fn in_force(&self, journal: &Journal) -> Arc<Water> {
        let state = journal.watch();
        let known = state.borrow().registry.clone();
        let (entry, registry) =
            known.map_or_else(Default::default, |known| (known.entry, known.registry));
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(water) = kept.as_ref().filter(|water| water.view.entry == entry) {
            return Arc::clone(water);
        }
        let (course, view) = (Course::of(&registry), RegistryView::of(&registry, entry));
        let water = Arc::new(Water { registry, course, view });
        *kept = Some(Arc::clone(&water));
        water
    }
}
