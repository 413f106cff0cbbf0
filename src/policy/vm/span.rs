//! Lengths of time inside the VM: a line `a·now + b`, so that a comparison knows when its answer will flip.

use mlua::{AnyUserData, FromLua, Lua, MetaMethod, UserData, UserDataMethods, Value};

use super::error::PolicyError;
use super::state::State;
use super::text::kind;
use crate::base::span::Span;
use crate::policy::decision::Because;

/// How a literal is written.
const LITERAL: &str = "write the literal as gt.span \"5m\"";

/// A length of time: `slope · now + base` milliseconds. A constant has slope 0, the age of a thing has slope 1.
#[derive(Debug, Clone)]
pub(in crate::policy) struct SpanValue {
    pub slope: f64,
    pub base: f64,
    /// How `gt why` names it.
    pub name: Option<String>,
}

impl SpanValue {
    pub fn constant(ms: i64) -> Self {
        Self { slope: 0.0, base: ms as f64, name: None }
    }

    pub fn since(ms: i64, name: impl Into<String>) -> Self {
        Self { slope: 1.0, base: -(ms as f64), name: Some(name.into()) }
    }

    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    pub fn at(&self, now_ms: i64) -> f64 {
        self.slope * now_ms as f64 + self.base
    }

    fn is_age(&self) -> bool {
        self.slope != 0.0
    }

    /// The length at this moment, as text: `18m`.
    pub fn text(&self, now_ms: i64) -> String {
        Span::millis(self.at(now_ms).round() as i64).to_string()
    }

    fn show(&self, now_ms: i64) -> String {
        let text = self.text(now_ms);
        self.name.as_ref().map_or_else(|| text.clone(), |name| format!("{name} {text}"))
    }

    fn join(&self, other: &Self, sign: f64, symbol: &str) -> Self {
        let name = |s: &Self| s.name.clone().unwrap_or_else(|| s.text(0));
        Self {
            slope: self.slope + sign * other.slope,
            base: self.base + sign * other.base,
            name: Some(format!("{} {symbol} {}", name(self), name(other))),
        }
    }

    fn scale(&self, by: f64, symbol: &str, shown: f64) -> Self {
        let name = self.name.as_ref().map(|n| format!("{n} {symbol} {shown}"));
        Self { slope: self.slope * by, base: self.base * by, name }
    }
}

/// The first millisecond after `now` at which `left < right` (or `<=`) has another answer.
fn flips(left: &SpanValue, right: &SpanValue, strict: bool, now_ms: i64) -> Option<i64> {
    let holds = |t: i64| {
        let d = left.at(t) - right.at(t);
        if strict { d < 0.0 } else { d <= 0.0 }
    };
    let slope = left.slope - right.slope;
    if slope == 0.0 {
        return None;
    }
    let crossing = (right.base - left.base) / slope;
    if !crossing.is_finite() || crossing.abs() > 4e15 {
        return None;
    }
    let answer = holds(now_ms);
    let floor = crossing.floor() as i64;
    (floor - 1..=floor + 2).find(|t| *t > now_ms && holds(*t) != answer)
}

fn compare(lua: &Lua, left: &SpanValue, right: &SpanValue, strict: bool) -> mlua::Result<bool> {
    let mut state = State::of(lua)?;
    let now = state.now_ms;
    let (l, r) = (left.at(now), right.at(now));
    let answer = if strict { l < r } else { l <= r };
    let flips_ms = flips(left, right, strict, now);
    // `a > b` arrives as `b < a`: the age is named first.
    let text = if right.is_age() && !left.is_age() {
        format!("{} {} {}", right.show(now), if strict { ">" } else { ">=" }, left.show(now))
    } else {
        format!("{} {} {}", left.show(now), if strict { "<" } else { "<=" }, right.show(now))
    };
    state.trace.compared(Because::Compared { text, answer, flips_ms });
    Ok(answer)
}

fn other(value: &Value, what: &str) -> mlua::Result<SpanValue> {
    match value {
        Value::UserData(ud) if ud.is::<SpanValue>() => Ok(ud.borrow::<SpanValue>()?.clone()),
        other => {
            let kind = kind(other);
            Err(PolicyError::new(format!("a span is {what} a {kind}")).help(LITERAL).into())
        }
    }
}

fn pair(left: &Value, right: &Value, what: &str) -> mlua::Result<(SpanValue, SpanValue)> {
    Ok((other(left, what)?, other(right, what)?))
}

fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_i64().map(|n| n as f64))
}

impl UserData for SpanValue {
    fn add_fields<F: mlua::UserDataFields<Self>>(fields: &mut F) {
        fields.add_meta_field(MetaMethod::Type, "span");
    }

    fn add_methods<M: UserDataMethods<Self>>(methods: &mut M) {
        methods.add_meta_function(MetaMethod::Lt, |lua, (a, b): (Value, Value)| {
            let (a, b) = pair(&a, &b, "compared with")?;
            compare(lua, &a, &b, true)
        });
        methods.add_meta_function(MetaMethod::Le, |lua, (a, b): (Value, Value)| {
            let (a, b) = pair(&a, &b, "compared with")?;
            compare(lua, &a, &b, false)
        });
        methods.add_meta_function(MetaMethod::Eq, |_, _: (Value, Value)| -> mlua::Result<bool> {
            let error = PolicyError::new("an age is never equal to anything");
            Err(error.help("compare it with < or > and a span").into())
        });
        methods.add_meta_function(MetaMethod::Add, |_, (a, b): (Value, Value)| {
            let (a, b) = pair(&a, &b, "added to")?;
            Ok(a.join(&b, 1.0, "+"))
        });
        methods.add_meta_function(MetaMethod::Sub, |_, (a, b): (Value, Value)| {
            let (a, b) = pair(&a, &b, "subtracted from")?;
            Ok(a.join(&b, -1.0, "-"))
        });
        methods.add_meta_function(MetaMethod::Mul, |_, (a, b): (Value, Value)| {
            let (span, by) = match (number(&a), number(&b)) {
                (None, Some(by)) => (other(&a, "multiplied with")?, by),
                (Some(by), None) => (other(&b, "multiplied with")?, by),
                _ => return Err(PolicyError::new("a span is multiplied with something that is no number").into()),
            };
            Ok(span.scale(by, "*", by))
        });
        methods.add_meta_function(MetaMethod::Div, |lua, (a, b): (Value, Value)| {
            let a = other(&a, "divided into")?;
            if let Some(by) = number(&b) {
                return lua.create_userdata(a.scale(1.0 / by, "/", by)).map(Value::UserData);
            }
            let b = other(&b, "divided by")?;
            let mut state = State::of(lua)?;
            state.trace.plain(&a);
            state.trace.plain(&b);
            let now = state.now_ms;
            Ok(Value::Number(a.at(now) / b.at(now)))
        });
        methods.add_meta_method(MetaMethod::ToString, |lua, this, ()| {
            let mut state = State::of(lua)?;
            state.trace.plain(this);
            Ok(this.text(state.now_ms))
        });
        methods.add_meta_function(MetaMethod::Concat, |lua, (a, b): (Value, Value)| {
            let mut state = State::of(lua)?;
            let mut text = |v: Value| -> mlua::Result<String> {
                if let Value::UserData(ud) = &v {
                    let span = ud.borrow::<SpanValue>()?;
                    state.trace.plain(&span);
                    return Ok(span.text(state.now_ms));
                }
                v.to_string()
            };
            Ok(text(a)? + &text(b)?)
        });
        methods.add_meta_function(MetaMethod::Index, |_, (_, key): (Value, Value)| -> mlua::Result<()> {
            let key = key.to_string()?;
            Err(PolicyError::new(format!("a span has no field `{key}`")).about(key).into())
        });
    }
}

/// A span given as itself or as text, as in `wait = "5m"`.
pub(super) fn span_like(value: &Value, what: &str) -> mlua::Result<SpanValue> {
    match value {
        Value::UserData(ud) if ud.is::<SpanValue>() => Ok(ud.borrow::<SpanValue>()?.clone()),
        Value::String(text) => {
            let text = text.to_str()?.to_owned();
            let span: Span = text.parse().map_err(|e| PolicyError::new(format!("{what}: {e}")).about(text.as_str()))?;
            Ok(SpanValue::constant(span.as_millis()))
        }
        other => Err(PolicyError::new(format!("{what} is a span, not a {}", kind(other))).help(LITERAL).into()),
    }
}

impl FromLua for SpanValue {
    fn from_lua(value: Value, _: &Lua) -> mlua::Result<Self> {
        span_like(&value, "it")
    }
}

/// Whether the value is a span.
pub(super) fn is_span(ud: &AnyUserData) -> bool {
    ud.is::<SpanValue>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comparison_knows_the_millisecond_at_which_it_flips() {
        let age = SpanValue::since(1_000_000, "silent_for");
        let patience = SpanValue::constant(480_000);
        // age > patience arrives as patience < age: false until one millisecond after 8 minutes.
        assert_eq!(flips(&patience, &age, true, 1_000_000), Some(1_480_001));
        assert_eq!(flips(&patience, &age, false, 1_000_000), Some(1_480_000));
        assert_eq!(flips(&patience, &age, true, 1_480_001), None);
        assert_eq!(flips(&age.scale(2.0, "*", 2.0), &patience, true, 1_000_000), Some(1_240_000));
        assert_eq!(flips(&patience, &patience, true, 0), None);
    }
}
