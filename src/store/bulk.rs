//! Many rows in one statement: what makes a batch cheap on both databases.

use std::{collections::HashSet, fmt::Write as _, hash::Hash};

use super::{
    engine::{Arg, Args, FromRow, Tx},
    error::Error,
};

/// Row counts that statements are built for; few, so that prepared statements are found again.
const SIZES: [usize; 4] = [64, 16, 4, 1];

/// A statement with a `values` list: `head values ($1, $2), ($3, $4) tail`.
pub(super) struct Bulk {
    /// What stands before the list.
    pub head: &'static str,
    /// What stands after the list.
    pub tail: &'static str,
}

impl Bulk {
    /// The statement for `rows` rows of `columns` values.
    fn sql(&self, rows: usize, columns: usize) -> String {
        let mut sql = String::with_capacity(self.head.len() + self.tail.len() + rows * columns * 6);
        sql.push_str(self.head);
        sql.push_str(" values ");
        for row in 0..rows {
            sql.push_str(if row == 0 { "(" } else { ", (" });
            for column in 0..columns {
                let comma = if column == 0 { "" } else { ", " };
                // Writing to a String cannot fail.
                let _ = write!(sql, "{comma}${}", row * columns + column + 1);
            }
            sql.push(')');
        }
        sql.push(' ');
        sql.push_str(self.tail);
        sql
    }

    /// Runs it for all rows; the number of rows changed.
    pub async fn execute(&self, tx: &mut Tx, rows: Vec<Args<'_>>) -> Result<u64, Error> {
        let mut changed = 0;
        for (count, args) in portions(rows) {
            changed += tx.execute(self.sql(count, args.len() / count), args).await?;
        }
        Ok(changed)
    }

    /// Runs it for all rows; what it returns, in no particular order.
    pub async fn rows<T: FromRow>(&self, tx: &mut Tx, rows: Vec<Args<'_>>) -> Result<Vec<T>, Error> {
        let mut found = Vec::new();
        for (count, args) in portions(rows) {
            found.extend(tx.rows(self.sql(count, args.len() / count), args).await?);
        }
        Ok(found)
    }
}

/// Cuts rows into portions of the sizes above: (rows in the portion, their values).
fn portions(rows: Vec<Args<'_>>) -> Vec<(usize, Args<'_>)> {
    let mut left = rows.len();
    let mut rows = rows.into_iter();
    let mut out = Vec::new();
    while left > 0 {
        let size = SIZES.into_iter().find(|size| *size <= left).unwrap_or(1);
        out.push((size, rows.by_ref().take(size).flatten().collect()));
        left -= size;
    }
    out
}

/// Cuts `items` where a key comes a second time, because one statement must not touch a row twice.
pub(super) fn without_repeats<'a, T, K: Eq + Hash>(items: &[&'a T], key: impl Fn(&'a T) -> K) -> Vec<Vec<&'a T>> {
    let mut groups = Vec::new();
    let mut group = Vec::new();
    let mut seen = HashSet::new();
    for item in items {
        if !seen.insert(key(item)) {
            groups.push(std::mem::take(&mut group));
            seen.clear();
            seen.insert(key(item));
        }
        group.push(*item);
    }
    if !group.is_empty() {
        groups.push(group);
    }
    groups
}

/// A placeholder list `($from, …)` for `ids`, padded with the last one to a size that statements are built for.
pub(super) fn in_list<'q>(ids: &[&'q str], args: &mut Args<'q>) -> String {
    let size = [1, 8, 64, LIST_MAX]
        .into_iter()
        .find(|size| *size >= ids.len())
        .unwrap_or(ids.len());
    let first = args.len() + 1;
    let last = ids.last().copied().unwrap_or_default();
    args.extend(
        ids.iter()
            .copied()
            .chain(std::iter::repeat(last))
            .take(size)
            .map(Arg::from),
    );
    let marks = (first..first + size)
        .map(|number| format!("${number}"))
        .collect::<Vec<_>>();
    format!("({})", marks.join(", "))
}

/// The longest list that [`in_list`] is given.
pub(super) const LIST_MAX: usize = 500;

/// A `where` clause that grows with the filters given.
pub(super) struct Filter<'q> {
    clause: String,
    pub args: Args<'q>,
}

impl<'q> Filter<'q> {
    /// No condition yet.
    pub const fn new() -> Self {
        Self {
            clause: String::new(),
            args: Vec::new(),
        }
    }

    /// Adds `condition $n`, where `condition` ends with its operator.
    pub fn and(&mut self, condition: &'static str, value: impl Into<Arg<'q>>) {
        self.args.push(value.into());
        let number = self.args.len();
        self.raw(condition);
        let _ = write!(self.clause, " ${number}");
    }

    /// Adds `condition $n` if there is a value.
    pub fn maybe<T: Into<Arg<'q>>>(&mut self, condition: &'static str, value: Option<T>) {
        if let Some(value) = value {
            self.and(condition, value);
        }
    }

    /// Adds conditions of which one suffices, with the same value.
    pub fn either(&mut self, conditions: &[&'static str], value: impl Into<Arg<'q>>) {
        self.args.push(value.into());
        let number = self.args.len();
        let any = conditions
            .iter()
            .map(|condition| format!("{condition} ${number}"))
            .collect::<Vec<_>>();
        self.clause
            .push_str(if self.clause.is_empty() { " where " } else { " and " });
        let _ = write!(self.clause, "({})", any.join(" or "));
    }

    /// Adds a condition without a value.
    pub fn raw(&mut self, condition: &'static str) {
        self.clause
            .push_str(if self.clause.is_empty() { " where " } else { " and " });
        self.clause.push_str(condition);
    }

    /// The clause, or nothing.
    pub fn clause(&self) -> &str {
        &self.clause
    }

    /// Adds the condition and the end of a page that goes backwards by `key`.
    pub fn page(mut self, select: &str, key: &'static str, page: super::Page) -> (String, Args<'q>) {
        if let Some(before) = page.before {
            self.raw(key);
            self.args.push(Arg::from(before));
            let _ = write!(self.clause, " < ${}", self.args.len());
        }
        self.args
            .push(Arg::from(i64::from(page.limit.clamp(1, super::PAGE_MAX))));
        let limit = self.args.len();
        let sql = format!("{select}{} order by {key} desc limit ${limit}", self.clause);
        (sql, self.args)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::engine::args;

    #[test]
    fn a_statement_numbers_its_placeholders_row_by_row() {
        let bulk = Bulk {
            head: "insert into t (a, b)",
            tail: "on conflict do nothing",
        };
        assert_eq!(
            bulk.sql(2, 2),
            "insert into t (a, b) values ($1, $2), ($3, $4) on conflict do nothing"
        );
    }

    #[test]
    fn portions_keep_every_row_in_order() {
        let rows = (0..75_i64).map(|n| args![n]).collect();
        let cut = portions(rows);
        assert_eq!(
            cut.iter().map(|(count, _)| *count).collect::<Vec<_>>(),
            [64, 4, 4, 1, 1, 1]
        );
        let numbers = cut.into_iter().flat_map(|(_, args)| args).map(|arg| match arg {
            Arg::Int(Some(number)) => number,
            other => panic!("{other:?}"),
        });
        assert!(numbers.eq(0..75));
    }

    #[test]
    fn a_repeated_key_begins_another_statement() {
        let items = [1, 2, 1, 3];
        let refs = items.iter().collect::<Vec<_>>();
        let groups = without_repeats(&refs, |item| *item);
        assert_eq!(groups, [vec![&1, &2], vec![&1, &3]]);
    }

    #[test]
    fn a_list_is_padded_with_its_last_member() {
        let mut args = args!["m"];
        let ids = ["a", "b"];
        assert_eq!(in_list(&ids, &mut args), "($2, $3, $4, $5, $6, $7, $8, $9)");
        assert_eq!(args.len(), 9);
    }
}
