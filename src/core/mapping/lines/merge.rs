//! What is written of a list: the lines that are there, with what is mapped laid over them, and the new ones behind.

use std::collections::BTreeMap;

use super::{Lines, Others, maps};
use crate::core::{
    fault::Fault,
    mapping::{Empty, Field},
    path::Path,
    status::Side,
    value::{Map, Value, kind::Kind, spelling::Spelling},
};

impl Lines {
    /// The whole list as it is to be on `to`, made of what is offered and what is there; `None` where nothing changes.
    ///
    /// Lines keep their order, and what no pair maps of them.
    pub(in crate::core::mapping) fn written(
        &self,
        list: &Field,
        to: Side,
        offered: &Value,
        there: Option<&Value>,
    ) -> Result<Option<Value>, Fault> {
        let nothing = Value::Null;
        let there = there.unwrap_or(&nothing);
        let own = self.read(list, to, there)?;
        let places = maps(offered)
            .enumerate()
            .map(|(place, line)| (self.tag(to, place, line), line));
        let mut due: BTreeMap<String, &Map> = places.collect();
        let mut written = Vec::new();
        let lines = self.items(list, to, there)?.into_iter().zip(maps(&own));
        for (place, (line, own)) in lines.enumerate() {
            match due.remove(&self.tag(to, place, own)) {
                Some(offered) => {
                    let laid = self.laid(to, line, own, offered);
                    written.push(laid.map_err(|path| self.no_place(list, to, place, path))?);
                }
                None if self.others == Others::Keep => written.push(Value::Map(line.clone())),
                None => {}
            }
        }
        for (place, line) in maps(offered).enumerate() {
            if due.remove(&self.tag(to, place, line)).is_some() {
                let made = self.made(to, line);
                written.push(made.map_err(|path| self.no_place(list, to, place, path))?);
            }
        }
        let is_same = match there.as_list() {
            Some(lines) => lines == written.as_slice(),
            None => written.is_empty(),
        };
        Ok((!is_same).then_some(Value::List(written)))
    }

    /// A list as somebody wrote it down, with what the pairs map in the kinds that are written.
    #[must_use]
    pub fn typed(&self, side: Side, list: &Value) -> Value {
        let Some(lines) = list.as_list() else {
            return list.clone();
        };
        let mut lines = lines.to_vec();
        for line in &mut lines {
            for field in &self.fields {
                let Some(path) = field.paths.get(side) else { continue };
                let read = path.get(line).and_then(|value| {
                    let kind = if field.is_copied() { field.kind } else { Kind::Any };
                    kind.read(value, &Spelling::default()).ok()
                });
                if let Some(read) = read {
                    path.set(line, read).ok();
                }
            }
        }
        Value::List(lines)
    }

    /// A line that is there, with what is offered laid over it; the path that leads nowhere in it, where there is one.
    fn laid<'f>(&'f self, to: Side, line: &Map, own: &Map, offered: &Map) -> Result<Value, &'f Path> {
        let mut line = line.clone();
        for field in self.counting() {
            let (Some(path), Some(value)) = (field.paths.get(to), offered.get(&field.name)) else {
                continue;
            };
            let is_kept = value.is_empty() && field.empty == Empty::Keep;
            if is_kept || field.agrees(to, Some(value), own.get(&field.name)) {
                continue;
            }
            let value = if value.is_empty() { Value::Null } else { value.clone() };
            path.set_in(&mut line, value).map_err(|_| path)?;
        }
        Ok(Value::Map(line))
    }

    /// A new line.
    fn made<'f>(&'f self, to: Side, offered: &Map) -> Result<Value, &'f Path> {
        let mut line = Map::new();
        for field in &self.fields {
            let value = offered.get(&field.name).filter(|value| !value.is_empty());
            if let (Some(path), Some(value)) = (field.paths.get(to), value) {
                path.set_in(&mut line, value.clone()).map_err(|_| path)?;
            }
        }
        Ok(Value::Map(line))
    }

    fn no_place(&self, list: &Field, side: Side, place: usize, path: &Path) -> Fault {
        let system = self.systems.get(side);
        let why = format!("line {} in {system} has no place for `{path}`", place + 1);
        list.fault("MP107", &why)
            .with_hint("correct the record, or the path of the pair within `fields:`")
    }
}
