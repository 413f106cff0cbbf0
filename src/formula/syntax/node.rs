//! The tree.

use super::super::{At, Text};

/// A value and where it stands.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) value: Value,
    pub(crate) at: At,
}

#[derive(Debug, Clone)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    /// A TOML date or time, as written.
    Time(String),
    List(Vec<Node>),
    Table(Vec<(Text, Node)>),
}

impl Node {
    /// What the value is, with its article, for messages.
    pub(crate) fn kind(&self) -> &'static str {
        match self.value {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Int(_) => "an integer",
            Value::Float(_) => "a float",
            Value::Text(_) => "a string",
            Value::Time(_) => "a date",
            Value::List(_) => "an array",
            Value::Table(_) => "a table",
        }
    }

    /// Whether it is as good as no value: null, or an empty text.
    pub(crate) fn is_nothing(&self) -> bool {
        match &self.value {
            Value::Null => true,
            Value::Text(text) => text.trim().is_empty(),
            _ => false,
        }
    }

    /// The plain JSON value.
    pub(crate) fn json(&self) -> serde_json::Value {
        use serde_json::Value as J;
        match &self.value {
            Value::Null => J::Null,
            Value::Bool(b) => J::Bool(*b),
            Value::Int(i) => J::from(*i),
            Value::Float(f) => serde_json::Number::from_f64(*f).map_or_else(|| J::String(f.to_string()), J::Number),
            Value::Text(s) | Value::Time(s) => J::String(s.clone()),
            Value::List(items) => J::Array(items.iter().map(Self::json).collect()),
            Value::Table(entries) => {
                J::Object(entries.iter().map(|(k, v)| (k.as_str().to_owned(), v.json())).collect())
            }
        }
    }

    /// The entry of a table.
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        match &self.value {
            Value::Table(entries) => entries.iter().find(|(k, _)| k.as_str() == key).map(|(_, v)| v),
            _ => None,
        }
    }
}
