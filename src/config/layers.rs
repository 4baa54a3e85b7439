//! Brings the layers together: file, then environment, then flags; what comes later wins.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{Origin, Problem};
use super::schema::{self, KEYS, Key, List, Quote, Unset};
use super::values::{ValueError, WrittenPath};
use super::warning::Warning;

/// A value as some layer wrote it.
#[derive(Debug, Clone)]
enum Raw {
    Text(String),
    Texts(Vec<String>),
    Integer(i64),
    Boolean(bool),
    /// From the environment or a flag: text, whatever type the key has.
    Untyped(String),
    /// A type that no key has.
    Other,
}

#[derive(Debug, Clone)]
struct Entry {
    at: Origin,
    raw: Raw,
    /// The value as written, quotes and all.
    written: String,
}

/// What all layers together say, and what was wrong on the way: of the whole, or of one entry of a list.
#[derive(Debug, Default)]
pub(super) struct Layers {
    entries: BTreeMap<String, Entry>,
    /// The entries of each list, by its path, in the order of the file.
    lists: BTreeMap<String, Vec<Layers>>,
    /// Where it starts, if this is an entry of a list.
    at: Option<Origin>,
    pub problems: Vec<Problem>,
    pub warnings: Vec<Warning>,
}

impl Layers {
    /// Lays the text of a file on top.
    pub fn add_file(&mut self, path: &Path, text: &str) {
        let (document, errors) = DeTable::parse_recoverable(text);
        let place = Place { path, text };
        if !errors.is_empty() {
            // What could be read around a syntax error is a guess; only the error is certain.
            self.problems.extend(errors.iter().map(|error| place.syntax_problem(error)));
            return;
        }
        for (section, value) in document.get_ref() {
            match value.get_ref() {
                DeValue::Table(table) if schema::is_section(section.get_ref()) => {
                    self.add_table(&place, section.get_ref(), table);
                }
                DeValue::Table(_) => self.problems.push(Problem::UnknownSection {
                    at: place.origin(section.span().start),
                    section: on_one_line(section.get_ref()),
                    hint: schema::section_hint(section.get_ref()),
                }),
                _ => self.problems.push(Problem::UnknownKey {
                    at: place.origin(section.span().start),
                    key: on_one_line(section.get_ref()),
                    hint: schema::hint("", section.get_ref()),
                }),
            }
        }
    }

    fn add_table(&mut self, place: &Place<'_>, section: &str, table: &DeTable<'_>) {
        for (name, value) in table {
            match (schema::find(section, name.get_ref()), schema::find_list(section, name.get_ref())) {
                (Some(key), _) => self.add_value(place, key, value),
                (None, Some(list)) if is_list_of_tables(value.get_ref()) => self.add_list(place, list, value),
                _ => self.unknown(place, section, name),
            }
        }
    }

    fn add_value(&mut self, place: &Place<'_>, key: &Key, value: &Spanned<DeValue<'_>>) {
        let entry = Entry {
            at: place.origin(value.span().start),
            raw: raw(value),
            written: place.text.get(value.span()).unwrap_or_default().to_owned(),
        };
        self.entries.insert(key.path(), entry);
    }

    fn add_list(&mut self, place: &Place<'_>, list: &List, value: &Spanned<DeValue<'_>>) {
        let mut items = Vec::new();
        for item in value.get_ref().as_array().into_iter().flatten() {
            let at = place.origin(item.span().start);
            let mut layers = Self { at: Some(at), ..Self::default() };
            for (name, value) in item.get_ref().as_table().into_iter().flatten() {
                match list.keys.iter().find(|key| key.name == name.get_ref()) {
                    Some(key) => layers.add_value(place, key, value),
                    None => layers.unknown(place, &list.path(), name),
                }
            }
            items.push(layers);
        }
        self.lists.insert(list.path(), items);
    }

    fn unknown(&mut self, place: &Place<'_>, section: &str, name: &Spanned<Cow<'_, str>>) {
        self.problems.push(Problem::UnknownKey {
            at: place.origin(name.span().start),
            key: on_one_line(&format!("{section}.{}", name.get_ref())),
            hint: schema::hint(section, name.get_ref()),
        });
    }

    /// Takes the entries of a list out, in the order of the file. What is wrong with one of them is among its
    /// own problems.
    pub fn take_list(&mut self, list: &List) -> Vec<Layers> {
        self.lists.remove(&list.path()).unwrap_or_default()
    }

    /// Lays an environment variable on top, if it is one of ours.
    pub fn add_variable(&mut self, variable: &str, value: &str) {
        let Some(rest) = variable.strip_prefix(schema::PREFIX) else { return };
        if schema::OTHER_VARIABLES.contains(&variable) {
            return;
        }
        if let Some(key) = KEYS.iter().find(|key| key.variable() == variable) {
            self.add_untyped(key, Origin::Environment(variable.to_owned()), value);
            return;
        }
        let lower = rest.to_lowercase();
        match lower.split_once('_') {
            Some((section, name)) if schema::is_section(section) => self.problems.push(Problem::UnknownKey {
                at: Origin::Environment(variable.to_owned()),
                key: on_one_line(&format!("{section}.{name}")),
                hint: schema::hint(section, name),
            }),
            // Not an error: container managers add variables named after a service, such as ROOMCAM_PORT.
            _ => {
                let known = KEYS.iter().map(|key| key.variable());
                let known = known.chain(schema::OTHER_VARIABLES.map(str::to_owned));
                if let Some(meant) = schema::nearest(variable, known) {
                    self.warnings.push(Warning::VariableIgnored { variable: variable.to_owned(), meant });
                }
            }
        }
    }

    /// Lays a flag on top: `path` is `section.name`.
    pub fn add_flag(&mut self, flag: &str, path: &str, value: &str) {
        let (section, name) = path.split_once('.').unwrap_or(("", path));
        match schema::find(section, name) {
            Some(key) => self.add_untyped(key, Origin::Flag(flag.to_owned()), value),
            None => self.problems.push(Problem::UnknownKey {
                at: Origin::Flag(flag.to_owned()),
                key: on_one_line(path),
                hint: schema::hint(section, name),
            }),
        }
    }

    fn add_untyped(&mut self, key: &Key, at: Origin, value: &str) {
        let entry = Entry { at, raw: Raw::Untyped(value.to_owned()), written: format!("{value:?}") };
        self.entries.insert(key.path(), entry);
    }

    /// Where a key was set last.
    pub fn origin(&self, key: &Key) -> Origin {
        self.entries.get(&key.path()).map_or(Origin::Default, |entry| entry.at.clone())
    }

    /// Whether a key was set at all.
    pub fn is_set(&self, key: &Key) -> bool {
        self.entries.contains_key(&key.path())
    }

    /// Where this entry of a list starts.
    pub fn start(&self) -> Origin {
        self.at.clone().unwrap_or(Origin::Default)
    }

    /// The text of a key; `None` if it is not set, or wrong, which is then among the problems.
    pub fn text<T: FromStr<Err = ValueError>>(&mut self, key: &Key) -> Option<T> {
        self.value(key, |raw| match raw {
            Raw::Text(text) | Raw::Untyped(text) => text.parse(),
            Raw::Integer(_) | Raw::Boolean(_) => {
                Err(ValueError::new(format!("{}; put it in quotes", key.allowed)))
            }
            Raw::Texts(_) | Raw::Other => Err(ValueError::new(key.allowed)),
        })
    }

    /// The text of a key, or each of its texts if it is a list; `None` as for [`Layers::text`]. Never empty.
    pub fn texts<T: FromStr<Err = ValueError>>(&mut self, key: &Key) -> Option<Vec<T>> {
        self.value(key, |raw| match raw {
            Raw::Text(text) | Raw::Untyped(text) => Ok(vec![text.parse()?]),
            Raw::Texts(texts) if !texts.is_empty() => texts.iter().map(|text| text.parse()).collect(),
            _ => Err(ValueError::new(key.allowed)),
        })
    }

    /// The path of a key; `None` as for [`Layers::text`]. A relative one starts at the configuration file it is written in,
    /// else where we are.
    pub fn file_path(&mut self, key: &Key) -> Option<PathBuf> {
        let WrittenPath(path) = self.text(key)?;
        match self.origin(key) {
            Origin::File { path: file, .. } => Some(file.parent().unwrap_or(Path::new("")).join(path)),
            _ => Some(path),
        }
    }

    /// The whole number of a key; `None` as for [`Layers::text`].
    pub fn number<T: TryFrom<i64, Error = ValueError>>(&mut self, key: &Key) -> Option<T> {
        self.value(key, |raw| match raw {
            Raw::Integer(number) => T::try_from(*number),
            Raw::Untyped(text) => match text.parse::<i64>() {
                Ok(number) => T::try_from(number),
                Err(_) => Err(ValueError::new(key.allowed)),
            },
            Raw::Text(_) => Err(ValueError::new(format!("{}; take the quotes away", key.allowed))),
            Raw::Texts(_) | Raw::Boolean(_) | Raw::Other => Err(ValueError::new(key.allowed)),
        })
    }

    /// The name or the whole number of a key, whichever it is; `None` as for [`Layers::text`].
    pub fn name_or_number<T>(&mut self, key: &Key) -> Option<T>
    where
        T: FromStr<Err = ValueError> + TryFrom<i64, Error = ValueError>,
    {
        self.value(key, |raw| match raw {
            Raw::Integer(number) => T::try_from(*number),
            Raw::Text(text) | Raw::Untyped(text) => text.parse(),
            Raw::Texts(_) | Raw::Boolean(_) | Raw::Other => Err(ValueError::new(key.allowed)),
        })
    }

    /// The switch of a key; `None` as for [`Layers::text`].
    pub fn switch(&mut self, key: &Key) -> Option<bool> {
        self.value(key, |raw| match raw {
            Raw::Boolean(on) => Ok(*on),
            Raw::Untyped(text) => text.parse().map_err(|_| ValueError::new(key.allowed)),
            Raw::Text(_) => Err(ValueError::new(format!("{}; take the quotes away", key.allowed))),
            Raw::Texts(_) | Raw::Integer(_) | Raw::Other => Err(ValueError::new(key.allowed)),
        })
    }

    fn value<T>(&mut self, key: &Key, read: impl FnOnce(&Raw) -> Result<T, ValueError>) -> Option<T> {
        let entry = match (self.entries.get(&key.path()), key.unset) {
            (Some(entry), _) => entry.clone(),
            (None, Unset::Fixed(text)) => {
                Entry { at: Origin::Default, raw: Raw::Untyped(text.to_owned()), written: text.to_owned() }
            }
            (None, Unset::Computed) => return None,
            (None, Unset::Required) => {
                self.missing(key);
                return None;
            }
        };
        match read(&entry.raw) {
            Ok(value) => Some(value),
            Err(ValueError(allowed)) => {
                let found = quoted(&entry.written, key.quote);
                self.problems.push(Problem::Value { at: entry.at, key: key.path(), found, allowed });
                None
            }
        }
    }

    /// Notes that a key which must be set is not.
    pub fn missing(&mut self, key: &Key) {
        let path = key.path();
        self.problems.push(match &self.at {
            Some(at) => Problem::MissingInEntry { at: at.clone(), key: path, allowed: key.allowed },
            None => Problem::Missing { key: path, variable: key.variable(), allowed: key.allowed },
        });
    }
}

fn is_list_of_tables(value: &DeValue<'_>) -> bool {
    value.as_array().is_some_and(|items| items.iter().all(|item| item.get_ref().is_table()))
}

fn raw(value: &Spanned<DeValue<'_>>) -> Raw {
    match value.get_ref() {
        DeValue::String(text) => Raw::Text(text.to_string()),
        DeValue::Integer(number) => {
            i64::from_str_radix(number.as_str(), number.radix()).map_or(Raw::Other, Raw::Integer)
        }
        DeValue::Boolean(on) => Raw::Boolean(*on),
        DeValue::Array(items) => {
            let texts = items.iter().map(|item| item.get_ref().as_str().map(str::to_owned));
            texts.collect::<Option<_>>().map_or(Raw::Other, Raw::Texts)
        }
        DeValue::Float(_) | DeValue::Datetime(_) | DeValue::Table(_) => Raw::Other,
    }
}

/// As much of a refused value as an error may repeat: short, and no password.
fn quoted(written: &str, quote: Quote) -> String {
    let secret_parts = |c: char| matches!(c, '@' | '?' | '#');
    match quote {
        Quote::UrlWithoutCredentials if written.contains(secret_parts) => {
            let scheme = written.trim_matches(['"', '\'']).split_once("://").map_or("", |(scheme, _)| scheme);
            let scheme = if scheme.chars().all(|c| c.is_ascii_alphabetic()) { scheme } else { "" };
            format!("{scheme}://… (the rest is not shown, as it may hold a password)")
        }
        Quote::NoCredentials if written.contains('@') => "(not shown, as it may hold a password)".to_owned(),
        Quote::Whole | Quote::UrlWithoutCredentials | Quote::NoCredentials => on_one_line(written),
        Quote::Withheld => "(not shown, as it may be the token itself)".to_owned(),
    }
}

/// What someone wrote, fit for one line of an error: without control characters, and not too long.
fn on_one_line(written: &str) -> String {
    let line: String =
        written.chars().map(|c| if c.is_control() { ' ' } else { c }).take(SHOWN_CHARS).collect();
    if written.chars().count() > SHOWN_CHARS { format!("{line}…") } else { line }
}

/// More of a value would hide the rest of the message.
const SHOWN_CHARS: usize = 80;

/// A file and its text, to turn byte offsets into places.
struct Place<'a> {
    path: &'a Path,
    text: &'a str,
}

impl Place<'_> {
    fn origin(&self, offset: usize) -> Origin {
        let before = self.text.get(..offset).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Origin::File {
            path: self.path.to_owned(),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        }
    }

    /// A syntax error, with the key on its line if that is one of ours: any other text may be part of a token.
    fn syntax_problem(&self, error: &toml::de::Error) -> Problem {
        let offset = error.span().map_or(0, |span| span.start);
        let before = self.text.get(..offset).unwrap_or_default();
        let line = before.rfind('\n').map_or(self.text, |newline| &self.text[newline + 1..]);
        let name = line.split(['=', '\n']).next().unwrap_or_default().trim();
        let key = schema::all_keys().find(|key| key.name == name).map(|key| key.name);
        Problem::Syntax { at: self.origin(offset), key, message: error.message().replace('\n', ", ") }
    }
}
