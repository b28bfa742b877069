//! The strict walk over one table: typed getters that note every fault and go on.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet},
    fmt,
    ops::RangeInclusive,
    str::FromStr,
    time::Duration,
};

use super::{
    KeyFault, Node, Origin, Value,
    scalar::{self, Spelled},
};

/// One table of the document while it is read; when dropped, it reports every key not asked for.
#[derive(Debug)]
pub struct Table<'a> {
    entries: Option<&'a BTreeMap<String, Node>>,
    origin: Option<&'a Origin>,
    path: String,
    found: &'a RefCell<Vec<KeyFault>>,
    asked: RefCell<BTreeSet<String>>,
    ignores_rest: Cell<bool>,
    is_muted: bool,
}

impl<'a> Table<'a> {
    pub(super) fn new(
        node: Option<&'a Node>,
        path: String,
        found: &'a RefCell<Vec<KeyFault>>,
    ) -> Self {
        let mut table = Self {
            entries: None,
            origin: node.map(|node| &node.origin),
            path,
            found,
            asked: RefCell::default(),
            ignores_rest: Cell::new(false),
            is_muted: false,
        };
        let Some(node) = node else { return table };
        if let Value::Table(entries) = &node.value {
            table.entries = Some(entries);
        } else {
            table.fault("", scalar::misfit(node, "a table"));
            table.is_muted = true; // that is one fault; what it lacks is not ten more
        }
        table
    }

    /// Any text, the empty one too.
    pub fn text<'f>(&'f self, key: &str) -> Field<'f, String> {
        self.field(key, scalar::text)
    }

    /// Text that `T` can be parsed from.
    pub fn parse<'f, T: FromStr<Err: fmt::Display>>(&'f self, key: &str) -> Field<'f, T> {
        self.text(key).and_then(|text| text.parse())
    }

    /// A whole number in `range`.
    pub fn integer<'f, N>(&'f self, key: &str, range: RangeInclusive<N>) -> Field<'f, N>
    where
        N: TryFrom<i64> + PartialOrd + fmt::Display,
    {
        self.field(key, |node| {
            let written = scalar::integer(node)?;
            let fits = N::try_from(written).ok().filter(|number| range.contains(number));
            fits.ok_or_else(|| {
                format!("{written} is not between {} and {}", range.start(), range.end())
            })
        })
    }

    /// `true` or `false`.
    pub fn boolean<'f>(&'f self, key: &str) -> Field<'f, bool> {
        self.field(key, scalar::boolean)
    }

    /// The exact text of a decimal number without an exponent, such as `-0.075`, at most 40
    /// characters; written as a TOML number of at most 15 digits, or quoted.
    pub fn decimal<'f>(&'f self, key: &str) -> Field<'f, String> {
        self.field(key, scalar::decimal)
    }

    /// A span with its unit: `250ms`, `5s`, `10m`, `24h`, `7d`.
    pub fn duration<'f>(&'f self, key: &str) -> Field<'f, Duration> {
        self.field(key, scalar::duration)
    }

    /// A number of bytes with its unit: `512B`, `64KiB`, `64MiB`, `1GiB`.
    pub fn size<'f>(&'f self, key: &str) -> Field<'f, u64> {
        self.field(key, scalar::size)
    }

    /// One of these words; the fault lists them.
    pub fn one_of<'f, T: Clone>(&'f self, key: &str, words: &[(&str, T)]) -> Field<'f, T> {
        self.text(key).and_then(|text| {
            let known = words.iter().find(|(word, _)| *word == text);
            known.map(|(_, meaning)| meaning.clone()).ok_or_else(|| {
                let all: Vec<_> = words.iter().map(|(word, _)| *word).collect();
                format!("`{text}` is none of {}", all.join(", "))
            })
        })
    }

    /// A list of texts.
    pub fn texts<'f>(&'f self, key: &str) -> Field<'f, Vec<String>> {
        self.list(key, scalar::text)
    }

    /// A list of decimal numbers, each as in [`Table::decimal`].
    pub fn decimals<'f>(&'f self, key: &str) -> Field<'f, Vec<String>> {
        self.list(key, scalar::decimal)
    }

    /// The table under `key`; where there is none, an empty one, so that its defaults apply and
    /// its required keys are missed by their full names.
    #[must_use = "a table that nobody reads reports all its keys as unknown"]
    pub fn table(&self, key: &str) -> Self {
        Self::new(self.get(key), self.full_key(key), self.found)
    }

    /// The table under `key`, if it was written.
    pub fn optional_table(&self, key: &str) -> Option<Self> {
        self.get(key).map(|node| Self::new(Some(node), self.full_key(key), self.found))
    }

    /// The tables of the list under `key`; none where it is missing.
    pub fn tables(&self, key: &str) -> Vec<Self> {
        let items = match self.items(key, "a list of tables") {
            State::Here(items) => items.iter(),
            State::Missing | State::Refused => return Vec::new(),
        };
        let path = |index| format!("{}[{index}]", self.full_key(key));
        let numbered = items.enumerate();
        numbered.map(|(index, item)| Self::new(Some(item), path(index), self.found)).collect()
    }

    /// Every key written here, for tables whose keys are data.
    pub fn keys(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.entries.into_iter().flat_map(|entries| entries.keys().map(String::as_str))
    }

    /// Whether `key` was written here; asking this makes it a known key.
    pub fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// Notes a fault that only the reader can see; `key` is one of this table, or empty for the
    /// table itself.
    pub fn fault(&self, key: &str, problem: impl fmt::Display) {
        let node = self.entries.and_then(|entries| entries.get(key));
        let origin = node.map(|node| &node.origin).or(self.origin);
        self.note(self.full_key(key), problem.to_string(), origin);
    }

    /// Lets the keys pass that nobody asked for: where a fault hides which keys belong here, or
    /// only a part of the document is wanted.
    pub fn ignore_rest(&self) {
        self.ignores_rest.set(true);
    }

    /// The full name of `key`, as faults give it.
    pub fn full_key(&self, key: &str) -> String {
        let is_bare = |letter: char| letter.is_ascii_alphanumeric() || "_-".contains(letter);
        let quoted = if key.chars().all(is_bare) { key.to_owned() } else { format!("{key:?}") };
        match (self.path.as_str(), key) {
            (path, "") => path.to_owned(),
            ("", _) => quoted,
            (path, _) => format!("{path}.{quoted}"),
        }
    }

    fn get(&self, key: &str) -> Option<&'a Node> {
        self.asked.borrow_mut().insert(key.to_owned());
        self.entries.and_then(|entries| entries.get(key))
    }

    fn field<'f, T>(
        &'f self,
        key: &str,
        reader: impl FnOnce(&Node) -> Result<T, String>,
    ) -> Field<'f, T> {
        let state = self.get(key).map_or(State::Missing, State::Here);
        Field { table: self, key: key.to_owned(), state: state.and_then(self, key, reader) }
    }

    fn list<'f, T>(
        &'f self,
        key: &str,
        each: impl Fn(&Node) -> Result<T, String>,
    ) -> Field<'f, Vec<T>> {
        let done = |state| Field { table: self, key: key.to_owned(), state };
        let items = match self.items(key, "a list") {
            State::Here(items) => items,
            State::Missing => return done(State::Missing),
            State::Refused => return done(State::Refused),
        };
        let mut values = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            match each(item) {
                Ok(value) => values.push(value),
                Err(problem) => {
                    let full_key = format!("{}[{index}]", self.full_key(key));
                    self.note(full_key, problem, Some(&item.origin));
                }
            }
        }
        let is_whole = values.len() == items.len();
        done(if is_whole { State::Here(values) } else { State::Refused })
    }

    fn items(&self, key: &str, wanted: &str) -> State<&'a [Node]> {
        match self.get(key) {
            None => State::Missing,
            Some(Node { value: Value::List(items), .. }) => State::Here(items),
            Some(node) => {
                self.fault(key, scalar::misfit(node, wanted));
                State::Refused
            }
        }
    }

    fn note(&self, key: String, problem: String, origin: Option<&Origin>) {
        if !self.is_muted {
            self.found.borrow_mut().push(KeyFault { key, problem, origin: origin.cloned() });
        }
    }
}

impl Drop for Table<'_> {
    fn drop(&mut self) {
        let Some(entries) = self.entries.filter(|_| !self.ignores_rest.get()) else { return };
        let asked = self.asked.borrow();
        for (key, node) in entries.iter().filter(|(key, _)| !asked.contains(*key)) {
            let is_written = |known: &String| {
                entries.get(known).is_some_and(|node| node.origin != Origin::Default)
            };
            let free = asked.iter().filter(|known| !is_written(known));
            let nearest = free.map(|known| (distance(key, known), known)).min();
            let problem = match nearest {
                Some((edits, known)) if edits <= 1 + key.len() / 3 => {
                    format!("unknown key; did you mean `{known}`?")
                }
                _ => "unknown key".to_owned(),
            };
            self.note(self.full_key(key), problem, Some(&node.origin));
        }
    }
}

/// A value asked for, not yet taken; any fault in it has been noted already.
#[derive(Debug)]
#[must_use = "end it with `required`, `or` or `optional`"]
pub struct Field<'f, T> {
    table: &'f Table<'f>,
    key: String,
    state: State<T>,
}

#[derive(Debug)]
enum State<T> {
    Missing,
    Refused,
    Here(T),
}

impl<T> State<T> {
    fn and_then<U, E: fmt::Display>(
        self,
        table: &Table<'_>,
        key: &str,
        reader: impl FnOnce(T) -> Result<U, E>,
    ) -> State<U> {
        match self {
            Self::Missing => State::Missing,
            Self::Refused => State::Refused,
            Self::Here(value) => match reader(value) {
                Ok(made) => State::Here(made),
                Err(problem) => {
                    table.fault(key, problem);
                    State::Refused
                }
            },
        }
    }
}

impl<'f, T> Field<'f, T> {
    /// The value; a missing key is a fault. `None` says that a fault was noted.
    pub fn required(self) -> Option<T> {
        if matches!(self.state, State::Missing) {
            self.table.fault(&self.key, "missing");
        }
        self.optional()
    }

    /// The value, or `default` where the key is missing or refused.
    pub fn or(self, default: T) -> T {
        self.optional().unwrap_or(default)
    }

    /// The value, if the key is there; a refused one has been noted and is `None` as well.
    pub fn optional(self) -> Option<T> {
        match self.state {
            State::Here(value) => Some(value),
            State::Missing | State::Refused => None,
        }
    }

    /// What `make` makes of the value; its error becomes the fault of this key.
    pub fn and_then<U, E: fmt::Display>(
        self,
        make: impl FnOnce(T) -> Result<U, E>,
    ) -> Field<'f, U> {
        let state = self.state.and_then(self.table, &self.key, make);
        Field { table: self.table, key: self.key, state }
    }

    /// Refuses a duration or a size outside `range`.
    pub fn within(self, range: RangeInclusive<T>) -> Self
    where
        T: PartialOrd + Spelled,
    {
        self.and_then(|value| {
            if range.contains(&value) {
                return Ok(value);
            }
            let (least, most) = (range.start().spelled(), range.end().spelled());
            Err(format!("{} is not between {least} and {most}", value.spelled()))
        })
    }
}

/// Insertions, deletions and replacements that turn `a` into `b`.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (taken, letter) in a.chars().enumerate() {
        let mut left = taken + 1;
        let mut next = vec![left];
        for (other, pair) in b.chars().zip(row.windows(2)) {
            if let [diagonal, above] = pair {
                left = (diagonal + usize::from(letter != other)).min(above + 1).min(left + 1);
                next.push(left);
            }
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}
