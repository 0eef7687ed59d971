//! A statement and its arguments, before any database has seen them.

use std::borrow::Cow;

/// What stands in a statement for the store's clock, in milliseconds since 1970.
const NOW: &str = "{now}";

/// An SQL statement for any of the databases. It has no `Debug`: its arguments are what a store keeps.
#[derive(Clone)]
pub(in crate::store) struct Statement {
    pub(in crate::store) sql: Cow<'static, str>,
    pub(in crate::store) arguments: Vec<Argument>,
    pub(in crate::store) locking: bool,
}

/// One argument: null or a value.
#[derive(Clone)]
pub(in crate::store) enum Argument {
    Bytes(Option<Vec<u8>>),
    Integer(Option<i64>),
    Text(Option<String>),
}

/// A statement with `$1`, `$2` and so on for its arguments, and `{now}` for the store's clock. None of it may come from
/// outside this program: what does is an argument.
pub(in crate::store) fn statement(sql: impl Into<Cow<'static, str>>) -> Statement {
    Statement { sql: sql.into(), arguments: Vec::new(), locking: false }
}

impl Statement {
    /// The text, with this in place of `{now}`.
    pub(in crate::store) fn text(&self, now: &str) -> Cow<'_, str> {
        if self.sql.contains(NOW) { self.sql.replace(NOW, now).into() } else { Cow::Borrowed(&self.sql) }
    }

    /// Adds the next argument.
    pub(in crate::store) fn bind(mut self, argument: impl Into<Argument>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Adds a condition, unless there is nothing to compare with. In it, `$?` stands for that. A condition that is not there stands in no
    /// index's way.
    pub(in crate::store) fn and(self, condition: &'static str, argument: Option<impl Into<Argument>>) -> Self {
        let Some(argument) = argument else { return self };
        let place = format!("${}", self.arguments.len() + 1);
        self.bind(argument).then(&format!(" AND {}", condition.replace("$?", &place)))
    }

    /// Goes on with a list of these, each an argument.
    pub(in crate::store) fn list<A: Into<Argument>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        let before = self.arguments.len();
        self.arguments.extend(arguments.into_iter().map(Into::into));
        let places: Vec<_> = (before + 1..=self.arguments.len()).map(|place| format!("${place}")).collect();
        self.then(&format!("({})", places.join(", ")))
    }

    /// Selects so many rows at most.
    pub(in crate::store) fn limit(self, rows: i64) -> Self {
        let place = format!(" LIMIT ${}", self.arguments.len() + 1);
        self.bind(rows).then(&place)
    }

    /// Goes on with this text.
    pub(in crate::store) fn then(mut self, text: &str) -> Self {
        self.sql.to_mut().push_str(text);
        self
    }

    /// Locks the rows it selects until the transaction ends: nobody else changes them, and who wants to waits. In `SQLite` a transaction
    /// that writes has the whole file anyway.
    pub(in crate::store) fn locking(mut self) -> Self {
        self.locking = true;
        self
    }
}

impl From<&str> for Argument {
    fn from(text: &str) -> Self {
        Self::Text(Some(text.to_owned()))
    }
}

macro_rules! arguments {
    ($($of:ty => $argument:ident),+ $(,)?) => {$(
        impl From<$of> for Argument {
            fn from(value: $of) -> Self {
                Self::$argument(Some(value.into()))
            }
        }

        impl From<Option<$of>> for Argument {
            fn from(value: Option<$of>) -> Self {
                Self::$argument(value.map(Into::into))
            }
        }
    )+};
}

arguments!(Vec<u8> => Bytes, i64 => Integer, i32 => Integer, u32 => Integer, String => Text);
