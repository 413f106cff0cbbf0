//! TOML with spans, through the `toml` crate. Its nesting is limited there to 80 levels.

use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::super::{At, Diagnostic, Report, Source, Text};
use super::node::{Node, Value};

pub(super) fn parse(source: &Arc<Source>, report: &mut Report) -> Node {
    let (table, errors) = DeTable::parse_recoverable(&source.text);
    let mut told = Vec::new();
    for error in &errors {
        let span = error.span().unwrap_or(0..0);
        let message = error.message().lines().next().unwrap_or_default().trim().to_owned();
        // The parser says of each header anew that it goes too deep, and never where.
        if told.contains(&(span.start, message.clone())) {
            continue;
        }
        told.push((span.start, message.clone()));
        report.push(
            Diagnostic::error("syntax", format!("this is not valid TOML: {message}"))
                .at(&At::new(source, span), "here"),
        );
    }
    let span = table.span();
    Node { value: entries(source, table.get_ref(), report), at: At::new(source, span) }
}

fn entries(source: &Arc<Source>, table: &DeTable<'_>, report: &mut Report) -> Value {
    let mut entries: Vec<(Text, Node)> = table
        .iter()
        .map(|(key, value)| {
            let key = Text::new(key.get_ref().as_ref(), At::new(source, key.span()));
            (key, node(source, value, report))
        })
        .collect();
    entries.sort_by_key(|(key, _)| key.at.start());
    Value::Table(entries)
}

fn node(source: &Arc<Source>, value: &Spanned<DeValue<'_>>, report: &mut Report) -> Node {
    let at = At::new(source, value.span());
    let value = match value.get_ref() {
        DeValue::String(text) => Value::Text(text.as_ref().to_owned()),
        DeValue::Boolean(b) => Value::Bool(*b),
        DeValue::Datetime(time) => Value::Time(time.to_string()),
        DeValue::Integer(i) => Value::Int(i64::from_str_radix(i.as_str(), i.radix()).unwrap_or_else(|_| {
            report.push(Diagnostic::error("number", "this integer is too large").at(&at, "64 bits are kept"));
            0
        })),
        DeValue::Float(f) => Value::Float(f.as_str().parse().unwrap_or(f64::NAN)),
        DeValue::Array(items) => Value::List(items.iter().map(|v| node(source, v, report)).collect()),
        DeValue::Table(table) => entries(source, table, report),
    };
    Node { value, at }
}
