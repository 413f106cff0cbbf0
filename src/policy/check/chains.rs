//! Chains like `w.bead.priority` walked through the schema, and what they are compared with.

use super::File;
use super::outline::{Facts, Outline};
use super::tokens::Kind;
use crate::base::text::similar;
use crate::policy::diagnostic::Diagnostic;
use crate::policy::schema::{Class, TOWN_READS, Ty};
use crate::policy::vm::{ADVICE, builder_names, field_help, gt_names, text_fields};

/// Checks every chain on `gt`, on settings, and on the parameters that are facts.
pub(super) fn check(file: &File<'_>, outline: &Outline, found: &mut Vec<Diagnostic>) {
    for i in 0..file.tokens.len() {
        if outline.is_gt(file, i) {
            builder(file, i, found);
        }
        for (name, settings) in &outline.settings {
            if !starts(file, i, name) || !file.is(i + 1, ".") {
                continue;
            }
            let Some(key) = file.name(i + 2) else { continue };
            match settings.get(key) {
                None => {
                    let meant = similar(key, settings.keys().map(String::as_str)).map(|m| format!("`{m}`"));
                    let all = || settings.keys().cloned().collect::<Vec<_>>().join(", ");
                    let message = format!("there is no setting `{key}`");
                    found.push(file.error(i + 2, message, meant.unwrap_or_else(all)));
                }
                Some(true) => compared(file, i..i + 3, key, &Ty::Span, found),
                Some(false) => {}
            }
        }
    }
    for facts in &outline.functions {
        for (name, class) in &facts.params {
            for i in facts.body.clone() {
                if starts(file, i, name) && !shadowed(file, facts, name, i) {
                    chain(file, i, class, found);
                }
            }
        }
        texts(file, outline, facts, found);
    }
}

/// Whether the name at `i` is a variable of that name: no field, no key of a table.
fn starts(file: &File<'_>, i: usize, name: &str) -> bool {
    if !file.is(i, name) || (i > 0 && (file.is(i - 1, ".") || file.is(i - 1, ":"))) {
        return false;
    }
    let key = i > 0 && (file.is(i - 1, "{") || file.is(i - 1, ",") || file.is(i - 1, ";")) && file.is(i + 1, "=");
    !key
}

/// Whether another variable of the same name is meant: a parameter of an inner function, or a local before.
fn shadowed(file: &File<'_>, facts: &Facts, name: &str, at: usize) -> bool {
    (facts.body.start..at).any(|i| {
        if file.is(i, "function") {
            let open = (i + 1..i + 6).find(|j| file.is(*j, "("));
            let inner = open.is_some_and(|open| (open..file.end(open)).any(|j| file.is(j, name)));
            return inner && file.end(i) > at;
        }
        (file.is(i, "local") || file.is(i, "for"))
            && (i + 1..at).take_while(|j| file.name(*j).is_some() || file.is(*j, ",")).any(|j| file.is(j, name))
    })
}

/// `gt.NAME` must exist.
fn builder(file: &File<'_>, i: usize, found: &mut Vec<Diagnostic>) {
    let Some(name) = file.name(i + 2) else { return };
    let names = gt_names();
    if !names.contains(&name) {
        let meant = similar(name, names).map_or_else(String::new, |m| format!("`gt.{m}`"));
        found.push(file.error(i + 2, format!("`gt` has no `{name}`"), meant));
    }
}

/// Walks a chain that begins at `i`.
fn chain(file: &File<'_>, i: usize, class: &'static Class, found: &mut Vec<Diagnostic>) {
    let (mut class, mut at) = (class, i + 1);
    loop {
        let colon = file.is(at, ":");
        if !colon && !file.is(at, ".") {
            return;
        }
        let Some(name) = file.name(at + 1) else { return };
        let Some(field) = class.field(name) else {
            let message = format!("`{}` has no field `{name}`", class.name);
            found.push(file.error(at + 1, message, field_help(class.names(), name, class.name)));
            return;
        };
        let ty = if let Ty::Optional(inner) = field.ty { *inner } else { field.ty };
        match ty {
            Ty::Record(next) => (class, at) = (next, at + 2),
            Ty::Method(_) if !colon => {
                let message = format!("`{name}` is called with a colon");
                found.push(file.error(at + 1, message, format!(":{name}(…)")));
                return;
            }
            Ty::Reads(_) => {
                reads(file, at + 1, name, found);
                return;
            }
            ty => {
                compared(file, i..at + 2, name, &ty, found);
                return;
            }
        }
    }
}

/// `town.beads.FUNCTION`
fn reads(file: &File<'_>, at: usize, name: &str, found: &mut Vec<Diagnostic>) {
    let Some((_, functions)) = TOWN_READS.iter().find(|(n, _)| *n == name) else { return };
    let Some(function) = file.name(at + 2).filter(|_| file.is(at + 1, ".")) else { return };
    if !functions.contains(&function) {
        let help =
            similar(function, functions.iter().copied()).map_or_else(|| functions.join(", "), |m| format!("`{m}`"));
        found.push(file.error(at + 2, format!("`town.{name}` has no function `{function}`"), help));
    }
}

/// What a chain is compared with, on either side.
fn compared(file: &File<'_>, chain: std::ops::Range<usize>, name: &str, ty: &Ty, found: &mut Vec<Diagnostic>) {
    let after = (chain.end, chain.end + 1);
    let before = (chain.start.wrapping_sub(1), chain.start.wrapping_sub(2));
    for (operator, literal) in [after, before] {
        let Some(sign) = file.get(operator).filter(|t| t.kind == Kind::Symbol) else { continue };
        let equal = matches!(sign.text.as_str(), "==" | "~=");
        let order = matches!(sign.text.as_str(), "<" | ">" | "<=" | ">=");
        let Some(other) = file.get(literal) else { continue };
        match ty {
            Ty::Span if equal && !other.is("nil") => {
                let message = "an age is never equal to anything";
                found.push(file.error(operator, message, "compare it with < or > and a span"));
            }
            Ty::Span if order && matches!(other.kind, Kind::Number | Kind::Text) => {
                let (shown, kind) = match other.kind {
                    Kind::Number => (other.text.clone(), "number"),
                    _ => (format!("\"{}\"", other.text), "string"),
                };
                let message = format!("`{name}` is a span and {shown} is a {kind}");
                let help = if kind == "number" { "gt.span \"5m\"".into() } else { format!("gt.span {shown}") };
                found.push(file.error(literal, message, help));
            }
            Ty::OneOf(words) if equal && other.kind == Kind::Text && !words.contains(&other.text.as_str()) => {
                let message = format!("`{name}` is never \"{}\"", other.text);
                let meant = similar(&other.text, words.iter().copied());
                found.push(file.error(
                    literal,
                    message,
                    meant.map_or_else(|| words.join(", "), |m| format!("\"{m}\"")),
                ));
            }
            Ty::Integer if equal && other.kind == Kind::Text => {
                let message = format!("`{name}` is a number and \"{}\" is a string", other.text);
                found.push(file.error(literal, message, ""));
            }
            _ => {}
        }
    }
}

/// The `{fields}` of texts that are arguments of builders.
fn texts(file: &File<'_>, outline: &Outline, facts: &Facts, found: &mut Vec<Diagnostic>) {
    let Some(class) = facts.subject else { return };
    let mut builders = builder_names();
    builders.extend(ADVICE.map(|(name, _)| name));
    let mut inside: Vec<(usize, bool)> = Vec::new();
    for i in facts.body.clone() {
        inside.retain(|(end, _)| *end > i);
        if outline.is_gt(file, i) {
            let open = i + 3;
            if file.is(open, "(") || file.is(open, "{") {
                let fills = file.name(i + 2).is_some_and(|n| builders.contains(&n));
                inside.push((file.end(open), fills));
            }
        }
        let Some(text) = file.text(i).filter(|_| inside.last().is_some_and(|(_, fills)| *fills)) else { continue };
        for (range, path) in text_fields(text) {
            if let Some(error) = unknown(class, path) {
                let token = &file.tokens[i];
                let (lead, quote) = (&text[..range.start], u32::from(token.width as usize == text.chars().count() + 2));
                let line = token.line + lead.matches('\n').count() as u32;
                let column = match lead.rsplit_once('\n') {
                    Some((_, last)) => last.chars().count() as u32 + 1,
                    None => token.column + quote.max(1) + lead.chars().count() as u32,
                };
                let width = path.chars().count() as u32 + 2;
                found.push(file.error_at((line, column, width), error.0, error.1));
            }
        }
    }
}

/// Message and help when a path leads nowhere.
fn unknown(class: &'static Class, path: &str) -> Option<(String, String)> {
    let mut class = class;
    for name in path.split('.') {
        let Some(field) = class.field(name) else {
            let message = format!("`{}` has no field `{name}`", class.name);
            return Some((message, field_help(class.names(), name, class.name)));
        };
        match if let Ty::Optional(inner) = field.ty { *inner } else { field.ty } {
            Ty::Record(next) => class = next,
            _ => return None,
        }
    }
    None
}
