//! What a mapping asks of a record: everything else need not be read, kept or compared.

use super::{Convert, Mapping};
use crate::core::{status::Side, value::projection::Projection};

impl Mapping {
    /// The members of one side's records that fields, match rules, templates and the filter use.
    #[must_use]
    pub fn wanted(&self, side: Side) -> Projection {
        let mut wanted = Projection::default();
        for field in &self.fields {
            if let Some(path) = field.paths.get(side) {
                wanted.add(path);
            }
            if let Convert::From {
                source,
                template,
                names,
            } = &field.convert
                && *source == side
            {
                let name = names.get(side);
                if template.uses_whole(name) {
                    return Projection::all();
                }
                template.paths_of(name).iter().for_each(|path| wanted.add(path));
            }
        }
        for (path, _) in self.archive.get(side) {
            wanted.add(path);
        }
        let likenesses = self.suggest.iter().flat_map(|suggest| &suggest.fields);
        for rule in self.rules.iter().chain(likenesses.map(|likeness| &likeness.rule)) {
            wanted.add(rule.paths.get(side));
        }
        if let Some(filter) = self.filters.get(side) {
            let name = &self.end(side).system;
            if filter.uses_whole(name) {
                return Projection::all();
            }
            filter.paths_of(name).iter().for_each(|path| wanted.add(path));
        }
        wanted
    }
}
