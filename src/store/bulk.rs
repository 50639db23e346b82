//! Many rows in one statement: what makes a batch cheap on both databases.

use std::{borrow::Cow, collections::HashSet, fmt::Write as _, hash::Hash};

use serde_json::Value as Json;
use sqlx::{Arguments as _, Postgres, SqlStr, Transaction, postgres::PgArguments};

use super::{
    engine::{
        Arg, Args, Engine, FromRow, Tx, postgres_execute, postgres_returned, read_all, text, unbound, without_nul,
    },
    error::Error,
    sqlite::SqliteTx,
};

/// A statement with a list of rows: `head (rows) tail`.
///
/// SQLite runs it row by row, which costs nothing there and needs no text of its own for every number of rows.
/// PostgreSQL gets all rows in one statement, as one array a column.
pub(super) struct Bulk {
    /// What stands before the list: ends with `from (`, with `in (`, or where a list of values begins.
    pub head: &'static str,
    /// What stands after the list.
    pub tail: &'static str,
}

/// What one row of a statement did on SQLite.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Changed {
    /// How many rows it changed.
    pub rows: u64,
    /// The id that was given last: that of this row, where one was inserted.
    pub id: i64,
}

impl Bulk {
    /// The statement for one row of `columns` values. A list of one row is not a list any more: for each of those SQLite
    /// would make a table, use it once and throw it away.
    fn of_row(&self, columns: usize) -> String {
        let marks = (1..=columns).map(|number| format!("${number}")).collect::<Vec<_>>();
        let marks = marks.join(", ");
        if let Some(head) = self.head.strip_suffix(" in (") {
            return format!("{head} = ({marks}){}", self.tail.strip_prefix(')').unwrap_or(self.tail));
        }
        let updated = self
            .head
            .strip_suffix(" from (")
            .filter(|head| head.starts_with("update "));
        if let (Some(head), Some(tail)) = (updated, self.tail.strip_prefix(") as v where ")) {
            return format!("{head} where {tail}").replace("v.column", "$");
        }
        format!("{} values ({marks}) {}", self.head, self.tail)
    }

    /// The statement with `more` after it, and what is bound to it.
    fn bound(&self, rows: Vec<Args<'_>>, more: &str) -> Result<(SqlStr, PgArguments), Error> {
        let mut bound = PgArguments::default();
        let sql = format!(
            "{} select * from {} {}{more}",
            self.head,
            unnest(rows, &mut bound)?,
            self.tail
        );
        Ok((text(sql.into()), bound))
    }

    /// Runs it for all rows; the number of rows changed.
    pub async fn execute(&self, tx: &mut Tx, rows: Vec<Args<'_>>) -> Result<u64, Error> {
        match tx {
            Tx::Sqlite(tx) => Ok(self.each(tx, rows)?.into_iter().map(|changed| changed.rows).sum()),
            Tx::Postgres(_) if rows.is_empty() => Ok(0),
            Tx::Postgres(tx) => {
                let (sql, bound) = self.bound(rows, "")?;
                postgres_execute(tx, &sql, bound).await
            }
        }
    }

    /// Runs it row by row on SQLite; what each of them did.
    pub fn each(&self, tx: &mut SqliteTx, rows: Vec<Args<'_>>) -> Result<Vec<Changed>, Error> {
        let Some(first) = rows.first() else {
            return Ok(Vec::new());
        };
        tx.execute_each(&self.of_row(first.len()), rows)
    }

    /// Runs it for all rows on PostgreSQL; these columns of each row that it changed, in no particular order.
    pub async fn returning<T: FromRow>(
        &self,
        columns: &'static str,
        tx: &mut Transaction<'static, Postgres>,
        rows: Vec<Args<'_>>,
    ) -> Result<Vec<T>, Error> {
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let (sql, bound) = self.bound(rows, &format!(" returning {columns}"))?;
        postgres_returned(&mut **tx, &sql, bound).await
    }

    /// Runs it for all rows; what it returns, in no particular order.
    pub async fn rows<T: FromRow>(&self, tx: &mut Tx, rows: Vec<Args<'_>>) -> Result<Vec<T>, Error> {
        let Some(first) = rows.first() else {
            return Ok(Vec::new());
        };
        match tx {
            Tx::Sqlite(tx) => read_all(&tx.rows_each(&self.of_row(first.len()), rows)?),
            Tx::Postgres(tx) => {
                let (sql, bound) = self.bound(rows, "")?;
                postgres_returned(&mut **tx, &sql, bound).await
            }
        }
    }
}

/// Binds rows as one array a column, for PostgreSQL; the table that they are, `v` with its columns `column1` and so on.
pub(super) fn unnest(rows: Vec<Args<'_>>, bound: &mut PgArguments) -> Result<String, Error> {
    let (mut arrays, mut names) = (String::new(), String::new());
    for (number, column) in (1..).zip(columns(rows)) {
        let comma = if number == 1 { "" } else { ", " };
        // Writing to a String cannot fail.
        let _ = write!(arrays, "{comma}${}::{}[]", bound.len() + 1, column.kind());
        let _ = write!(names, "{comma}column{number}");
        column.bind(bound).map_err(|_| unbound(&arrays))?;
    }
    Ok(format!("unnest({arrays}) as v({names})"))
}

/// The values of one column.
enum Array<'q> {
    Int(Vec<Option<i64>>),
    Bool(Vec<bool>),
    Text(Vec<Option<Cow<'q, str>>>),
    Bytes(Vec<Option<Cow<'q, [u8]>>>),
}

impl<'q> Array<'q> {
    /// An empty one for values like this.
    const fn like(arg: &Arg<'q>) -> Self {
        match arg {
            Arg::Int(_) => Self::Int(Vec::new()),
            Arg::Bool(_) => Self::Bool(Vec::new()),
            Arg::Text(_) => Self::Text(Vec::new()),
            Arg::Bytes(_) => Self::Bytes(Vec::new()),
        }
    }

    /// Adds a value. All values of a column come from one Rust type, so that another kind is none of ours.
    fn push(&mut self, arg: Arg<'q>) {
        match (self, arg) {
            (Self::Int(values), Arg::Int(value)) => values.push(value),
            (Self::Bool(values), Arg::Bool(value)) => values.push(value),
            (Self::Text(values), Arg::Text(value)) => values.push(value.map(without_nul)),
            (Self::Bytes(values), Arg::Bytes(value)) => values.push(value),
            _ => debug_assert!(false, "a column of two kinds"),
        }
    }

    /// Its type in PostgreSQL.
    const fn kind(&self) -> &'static str {
        match self {
            Self::Int(_) => "bigint",
            Self::Bool(_) => "boolean",
            Self::Text(_) => "text",
            Self::Bytes(_) => "bytea",
        }
    }

    fn bind(&self, bound: &mut PgArguments) -> Result<(), sqlx::error::BoxDynError> {
        match self {
            Self::Int(values) => bound.add(values),
            Self::Bool(values) => bound.add(values),
            Self::Text(values) => bound.add(values.iter().map(Option::as_deref).collect::<Vec<_>>()),
            Self::Bytes(values) => bound.add(values.iter().map(Option::as_deref).collect::<Vec<_>>()),
        }
    }
}

/// Turns rows into columns.
fn columns(rows: Vec<Args<'_>>) -> Vec<Array<'_>> {
    let mut columns: Vec<Array<'_>> = rows
        .first()
        .map_or_else(Vec::new, |first| first.iter().map(Array::like).collect());
    for row in rows {
        for (column, arg) in columns.iter_mut().zip(row) {
            column.push(arg);
        }
    }
    columns
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

impl Engine {
    /// What stands behind `in` for `ids`: placeholders. A long list is one value on SQLite, a JSON array that is read as a table:
    /// what binds values there looks the name of each parameter up among all of them. For a short one the table costs more.
    pub(super) fn in_list<'q, T: Copy>(&self, ids: &[T], args: &mut Args<'q>) -> String
    where
        Arg<'q>: From<T>,
    {
        match self {
            Self::Sqlite(_) if ids.len() > SHORT_MAX => {
                let array: Vec<Json> = ids.iter().map(|id| as_json(Arg::from(*id))).collect();
                args.push(Arg::Text(Some(Json::from(array).to_string().into())));
                format!("(select value from json_each(${}))", args.len())
            }
            Self::Sqlite(_) | Self::Postgres(_) => placeholders(ids, args),
        }
    }
}

fn as_json(arg: Arg<'_>) -> Json {
    match arg {
        Arg::Int(number) => number.into(),
        Arg::Bool(truth) => truth.into(),
        Arg::Text(text) => text.map(without_nul).into(),
        // No id is bytes.
        Arg::Bytes(_) => Json::Null,
    }
}

/// A list `($from, …)` for `ids`, padded with the last one to a size that statements are built for.
fn placeholders<'q, T: Copy>(ids: &[T], args: &mut Args<'q>) -> String
where
    Arg<'q>: From<T>,
{
    let size = [1, 8, SHORT_MAX, LIST_MAX]
        .into_iter()
        .find(|size| *size >= ids.len())
        .unwrap_or(ids.len());
    let first = args.len() + 1;
    let last = ids.last().map_or(Arg::Text(None), |last| Arg::from(*last));
    args.extend(
        ids.iter()
            .map(|id| Arg::from(*id))
            .chain(std::iter::repeat(last))
            .take(size),
    );
    let marks = (first..first + size)
        .map(|number| format!("${number}"))
        .collect::<Vec<_>>();
    format!("({})", marks.join(", "))
}

/// The longest list that [`Engine::in_list`] is given.
pub(super) const LIST_MAX: usize = 500;
/// The longest list that SQLite gets value by value.
const SHORT_MAX: usize = 64;

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

    /// Pairs of a mapping that stand so, with this record on either side; whatever is none does not matter.
    pub fn of_pairs<S: Into<Arg<'q>>>(mapping: Option<&'q str>, status: Option<S>, record_id: Option<&'q str>) -> Self {
        let mut wanted = Self::new();
        wanted.maybe("mapping =", mapping);
        wanted.maybe("status =", status);
        if let Some(record_id) = record_id {
            wanted.either(&["left_id =", "right_id ="], record_id);
        }
        wanted
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

    /// Adds that a column holds one of these values; of none, that no row is wanted.
    pub fn among(&mut self, column: &'static str, values: impl Iterator<Item = &'q str>) {
        let first = self.args.len() + 1;
        self.args.extend(values.map(Arg::from));
        let marks: Vec<String> = (first..=self.args.len()).map(|number| format!("${number}")).collect();
        if marks.is_empty() {
            self.raw("1 = 0");
        } else {
            self.raw(column);
            let _ = write!(self.clause, " in ({})", marks.join(", "));
        }
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
            .push(Arg::from(i64::try_from(page.rows()).unwrap_or(i64::MAX)));
        let limit = self.args.len();
        let sql = format!("{select}{} order by {key} desc limit ${limit}", self.clause);
        (sql, self.args)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::engine::args;

    const BULK: Bulk = Bulk {
        head: "insert into t (a, b)",
        tail: "on conflict do nothing",
    };

    #[test]
    fn sqlite_gets_a_row_and_postgres_an_array_a_column() {
        assert_eq!(
            BULK.of_row(2),
            "insert into t (a, b) values ($1, $2) on conflict do nothing"
        );
        let (sql, bound) = BULK.bound(vec![args![1_i64, "x"]], " returning a").unwrap();
        assert_eq!(
            sql.as_str(),
            "insert into t (a, b) select * from unnest($1::bigint[], $2::text[]) as v(column1, column2) \
             on conflict do nothing returning a"
        );
        assert_eq!(bound.len(), 2);
    }

    #[test]
    fn sqlite_compares_and_updates_by_one_row_without_a_list() {
        let gone = Bulk {
            head: "delete from t where (a, b) in (",
            tail: ") returning a",
        };
        assert_eq!(gone.of_row(2), "delete from t where (a, b) = ($1, $2) returning a");
        let updated = Bulk {
            head: "update t set b = coalesce(v.column2, t.b) from (",
            tail: ") as v where t.a = v.column1",
        };
        assert_eq!(updated.of_row(2), "update t set b = coalesce($2, t.b) where t.a = $1");
        let joined = Bulk {
            tail: ") as v join u on u.a = v.column1 where t.a = u.b",
            ..updated
        };
        assert_eq!(
            joined.of_row(1),
            "update t set b = coalesce(v.column2, t.b) from ( values ($1) ) as v join u on u.a = v.column1 where t.a = u.b"
        );
    }

    #[test]
    fn columns_keep_every_row_in_order() {
        let rows = (0..75_i64).map(|n| args![n, n.to_string()]).collect();
        let cut = columns(rows);
        let [Array::Int(numbers), Array::Text(texts)] = cut.as_slice() else {
            panic!("{} columns", cut.len());
        };
        assert!(numbers.iter().copied().eq((0..75).map(Some)));
        assert!(
            texts
                .iter()
                .flatten()
                .eq((0..75).map(|n| n.to_string()).collect::<Vec<_>>().iter())
        );
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
        assert_eq!(placeholders(&ids, &mut args), "($2, $3, $4, $5, $6, $7, $8, $9)");
        assert_eq!(args.len(), 9);
    }
}
