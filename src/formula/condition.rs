//! Conditions: on variables, decided when a molecule is poured, and on the state of steps, decided while it runs.

use std::fmt;
use std::sync::LazyLock;

use regex::Regex;

use super::{Vars, truthy};

/// A step's `condition`: on variables alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Static {
    /// `{{v}}` and `!{{v}}`.
    Truth {
        /// The variable.
        var: String,
        /// `!` stands before it.
        not: bool,
    },
    /// `{{v}} == x` and `{{v}} != x`.
    Compare {
        /// The variable.
        var: String,
        /// Compared with, quotes removed.
        value: String,
        /// `!=`.
        not: bool,
    },
}

static TRUTH: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^(!?)\s*\{\{([A-Za-z_]\w*)\}\}$").expect("a valid pattern"));
static COMPARE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?s)^\{\{([A-Za-z_]\w*)\}\}\s*(==|!=)\s*(.+)$").expect("a valid pattern"));

impl Static {
    /// Parses a condition; the error is a fragment.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if let Some(found) = TRUTH.captures(text) {
            return Ok(Self::Truth { var: found[2].to_owned(), not: !found[1].is_empty() });
        }
        if let Some(found) = COMPARE.captures(text) {
            return Ok(Self::Compare {
                var: found[1].to_owned(),
                value: unquote(&found[3]).to_owned(),
                not: &found[2] == "!=",
            });
        }
        Err(format!("`{}` has none of the forms of a condition", crate::base::text::headline(text, 60)))
    }

    /// Whether it holds; a variable without value is empty.
    pub fn holds(&self, vars: &Vars) -> bool {
        let get = |var: &str| vars.get(var).map_or("", String::as_str);
        match self {
            Self::Truth { var, not } => truthy(get(var)) != *not,
            Self::Compare { var, value, not } => (get(var) == value) != *not,
        }
    }
}

fn unquote(text: &str) -> &str {
    let text = text.trim();
    for quote in ['"', '\''] {
        if let Some(inner) = text.strip_prefix(quote).and_then(|t| t.strip_suffix(quote)) {
            return inner;
        }
    }
    text
}

/// A condition of a loop or a gate rule: on the state of the running molecule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Runtime {
    /// `file.exists('path')`.
    FileExists(String),
    /// `env.NAME op value`.
    Env(String, Op, String),
    /// `children.all(status == 'complete')`, `children(ref).any(…)`, `steps(ref).count(…) >= 2`.
    Group {
        /// `children`, `descendants` or `steps`.
        whose: String,
        /// The step in parentheses; none means the step that the condition belongs to.
        of: Option<String>,
        /// `all`, `any` or `count`.
        how: String,
        /// The inner condition.
        inner: Box<Runtime>,
        /// For a count: compared with.
        bound: Option<(Op, String)>,
    },
    /// `steps.complete >= 3`.
    Stat(String, Op, String),
    /// `status == 'complete'`, `step.output.n > 3`, `review.status != 'open'`.
    Field {
        /// The step's id, or nothing for the step itself.
        step: Option<String>,
        /// `status` or `output.path`.
        path: String,
        /// How it is compared.
        op: Op,
        /// With what, quotes removed.
        value: String,
    },
}

/// How two values are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// `==`
    Eq,
    /// `!=`
    Ne,
    /// `>=`
    Ge,
    /// `<=`
    Le,
    /// `>`
    Gt,
    /// `<`
    Lt,
}

/// What a runtime condition may look like, for help texts.
pub const RUNTIME_FORMS: &str = "write status == 'complete', STEP.status == 'complete', output.path > 3, \
     steps.complete >= 2, children.all(status == 'complete'), file.exists('path') or env.NAME == value";

const OP: &str = r"\s*(==|!=|>=|<=|>|<)\s*";

static FILE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r#"^file\.exists\(\s*['"]([^'"]+)['"]\s*\)$"#).expect("a valid pattern"));
static ENV: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(&format!(r"(?s)^env\.([A-Za-z_]\w*){OP}(.+)$")).expect("a valid pattern"));
static GROUP: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(&format!(
        r"(?s)^((?:children|descendants)(?:\(\s*([^()]+?)\s*\))?|steps\(\s*([^()]+?)\s*\))\.(all|any|count)\((.+)\)(?:{OP}([^()]+))?$"
    ))
    .expect("a valid pattern")
});
static STAT: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(&format!(r"^steps\.([A-Za-z_]\w*){OP}(\S+)$")).expect("a valid pattern"));
static FIELD: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(&format!(r"(?s)^(?:([\w.\-]+?)\.)?(status|output(?:\.[\w\-]+)+){OP}(.+)$")).expect("a valid pattern")
});

impl Runtime {
    /// Parses a condition; the error is a fragment.
    pub fn parse(text: &str) -> Result<Self, String> {
        Self::nested(text, 0)
    }

    fn nested(text: &str, depth: usize) -> Result<Self, String> {
        let text = text.trim();
        if depth > 4 {
            return Err("it is nested deeper than 4 levels".to_owned());
        }
        if let Some(found) = FILE.captures(text) {
            return Ok(Self::FileExists(found[1].to_owned()));
        }
        if let Some(found) = ENV.captures(text) {
            return Ok(Self::Env(found[1].to_owned(), op(&found[2]), unquote(&found[3]).to_owned()));
        }
        if let Some(found) = GROUP.captures(text) {
            let how = &found[4];
            let bound = found.get(6).map(|o| (op(o.as_str()), unquote(&found[7]).to_owned()));
            if (how == "count") != bound.is_some() {
                return Err(format!(
                    "`{how}(…)` {} compared with a number",
                    if how == "count" { "must be" } else { "cannot be" }
                ));
            }
            return Ok(Self::Group {
                whose: found[1].split('(').next().unwrap_or_default().trim().to_owned(),
                of: found.get(2).or(found.get(3)).map(|m| m.as_str().to_owned()),
                how: how.to_owned(),
                inner: Box::new(Self::nested(&found[5], depth + 1)?),
                bound,
            });
        }
        if let Some(found) = STAT.captures(text) {
            return Ok(Self::Stat(found[1].to_owned(), op(&found[2]), unquote(&found[3]).to_owned()));
        }
        if let Some(found) = FIELD.captures(text) {
            return Ok(Self::Field {
                step: found.get(1).map(|m| m.as_str().to_owned()).filter(|s| s != "step"),
                path: found[2].to_owned(),
                op: op(&found[3]),
                value: unquote(&found[4]).to_owned(),
            });
        }
        Err(format!("`{}` has none of the forms of a condition", crate::base::text::headline(text, 60)))
    }

    /// The steps that it names.
    pub fn steps(&self) -> Vec<&str> {
        match self {
            Self::Field { step, .. } => step.iter().map(String::as_str).collect(),
            Self::Group { of, inner, .. } => of.iter().map(String::as_str).chain(inner.steps()).collect(),
            Self::FileExists(_) | Self::Env(..) | Self::Stat(..) => Vec::new(),
        }
    }

    /// Whether it speaks of the step that it belongs to, or of what is below that.
    pub fn of_itself(&self) -> bool {
        matches!(self, Self::Field { step: None, .. } | Self::Group { of: None, .. })
    }

    /// Whether it asks for a file or for a variable of the environment, which change without a step.
    pub(crate) fn of_outside(&self) -> bool {
        match self {
            Self::FileExists(_) | Self::Env(..) => true,
            Self::Group { inner, .. } => inner.of_outside(),
            Self::Stat(..) | Self::Field { .. } => false,
        }
    }

    /// The step that must be closed, if that is all that it asks.
    pub(crate) fn closed(&self) -> Option<&str> {
        match self {
            Self::Field { step: Some(step), path, op: Op::Eq, value }
                if path == "status" && status_word(value) == "complete" =>
            {
                Some(step)
            }
            _ => None,
        }
    }

    /// The same of other steps.
    #[must_use]
    pub(crate) fn renamed(self, name: &dyn Fn(&str) -> String) -> Self {
        match self {
            Self::Field { step, path, op, value } => Self::Field { step: step.map(|s| name(&s)), path, op, value },
            Self::Group { whose, of, how, inner, bound } => {
                Self::Group { whose, of: of.map(|s| name(&s)), how, inner: Box::new(inner.renamed(name)), bound }
            }
            other => other,
        }
    }

    /// Whether it holds.
    pub fn holds(&self, state: &dyn State) -> bool {
        match self {
            Self::FileExists(path) => state.file_exists(path),
            Self::Env(name, op, value) => compare(state.env(name).as_deref(), *op, value),
            Self::Stat(word, op, value) => compare(Some(&state.steps_in(word).to_string()), *op, value),
            Self::Field { step, path, op, value } => field_holds(state, step.as_deref(), path, *op, value),
            Self::Group { whose, of, how, inner, bound } => {
                let members = state.members(of.as_deref(), whose == "descendants");
                let holding = members.iter().filter(|id| inner.holds_for(state, id)).count();
                match (how.as_str(), bound) {
                    ("count", Some((op, value))) => compare(Some(&holding.to_string()), *op, value),
                    ("any", _) => holding > 0,
                    // Of nothing, nothing is said: an empty group is not complete.
                    _ => !members.is_empty() && holding == members.len(),
                }
            }
        }
    }

    fn holds_for(&self, state: &dyn State, id: &str) -> bool {
        match self {
            Self::Field { step: None, path, op, value } => field_holds(state, Some(id), path, *op, value),
            other => other.holds(state),
        }
    }
}

impl fmt::Display for Runtime {
    /// As formulas write it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FileExists(path) => write!(f, "file.exists({})", quoted(path)),
            Self::Env(name, op, value) => write!(f, "env.{name} {op} {}", quoted(value)),
            Self::Stat(word, op, value) => write!(f, "steps.{word} {op} {value}"),
            Self::Field { step, path, op, value } => {
                let step = step.as_ref().map(|step| format!("{step}.")).unwrap_or_default();
                write!(f, "{step}{path} {op} {}", quoted(value))
            }
            Self::Group { whose, of, how, inner, bound } => {
                let of = of.as_ref().map(|of| format!("({of})")).unwrap_or_default();
                write!(f, "{whose}{of}.{how}({inner})")?;
                bound.as_ref().map_or(Ok(()), |(op, value)| write!(f, " {op} {value}"))
            }
        }
    }
}

/// In whichever quotes the text has none of.
fn quoted(text: &str) -> String {
    let quote = if text.contains('\'') { '"' } else { '\'' };
    format!("{quote}{text}{quote}")
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Eq => "==",
            Self::Ne => "!=",
            Self::Ge => ">=",
            Self::Le => "<=",
            Self::Gt => ">",
            Self::Lt => "<",
        })
    }
}

fn op(text: &str) -> Op {
    match text {
        "!=" => Op::Ne,
        ">=" => Op::Ge,
        "<=" => Op::Le,
        ">" => Op::Gt,
        "<" => Op::Lt,
        _ => Op::Eq,
    }
}

/// The word that conditions use for a status: they may be written with either.
pub(crate) fn status_word(status: &str) -> &str {
    match status {
        "closed" => "complete",
        "open" => "pending",
        other => other,
    }
}

fn field_holds(state: &dyn State, step: Option<&str>, path: &str, op: Op, value: &str) -> bool {
    let value = if path == "status" { status_word(value) } else { value };
    compare(state.field(step, path).as_deref(), op, value)
}

/// Numbers as numbers, else as text; a value that is not there equals only the empty text.
fn compare(left: Option<&str>, op: Op, right: &str) -> bool {
    let Some(left) = left else {
        return matches!((op, right), (Op::Eq, "")) || (op == Op::Ne && !right.is_empty());
    };
    let order = match (left.trim().parse::<f64>(), right.trim().parse::<f64>()) {
        (Ok(l), Ok(r)) => l.partial_cmp(&r),
        _ => Some(left.cmp(right)),
    };
    let Some(order) = order else { return op == Op::Ne };
    match op {
        Op::Eq => order.is_eq(),
        Op::Ne => order.is_ne(),
        Op::Ge => order.is_ge(),
        Op::Le => order.is_le(),
        Op::Gt => order.is_gt(),
        Op::Lt => order.is_lt(),
    }
}

/// What a runtime condition asks of the molecule it is judged in.
pub trait State {
    /// Whether a file is there, relative to the work tree.
    fn file_exists(&self, path: &str) -> bool;
    /// A variable of the environment.
    fn env(&self, name: &str) -> Option<String>;
    /// How many steps have that status.
    fn steps_in(&self, status: &str) -> usize;
    /// `status` or `output.path` of a step; the judged step when `None`.
    fn field(&self, step: Option<&str>, path: &str) -> Option<String>;
    /// What is below the step `of` (`None` is the judged one) as names for [`State::field`]: its children, or `all` below.
    fn members(&self, of: Option<&str>, all: bool) -> Vec<String>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_on_variables() {
        let vars: Vars = [("v", "x"), ("off", "No")].iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
        for (text, expected) in [
            ("{{v}}", true),
            ("!{{v}}", false),
            ("{{off}}", false),
            ("!{{missing}}", true),
            ("{{v}} == 'x'", true),
            ("{{v}} == \"x\"", true),
            ("{{v}} != x", false),
            ("{{missing}} == ''", true),
        ] {
            assert_eq!(Static::parse(text).expect("a condition").holds(&vars), expected, "{text}");
        }
        for bad in ["v", "{{v}} > 3", "{{v}} and {{w}}", "{{ v }}", "{{v}} =="] {
            assert!(Static::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn conditions_on_a_running_molecule_parse() {
        for good in [
            "file.exists('a/b')",
            "env.CI == true",
            "children.all(status == 'complete')",
            "steps(build).count(status == 'closed') >= 2",
            "descendants.any(output.found > 0)",
            "children(build).all(status == 'complete')",
            "descendants( step ).count(status == 'complete') > 1",
            "steps.complete == 3",
            "step.status == 'complete'",
            "review.output.verdict == pass",
            "step.output.n >= 3 && 1 < 2",
            "a.status == 'complete' ",
        ] {
            assert!(Runtime::parse(good).is_ok(), "{good}: {:?}", Runtime::parse(good));
        }
        for text in [
            "file.exists('a/b')",
            "env.CI == 'it\"s'",
            "steps.complete >= 3",
            "a.status == \"it's\"",
            "descendants(a).count(status == 'complete') > 1",
            "children.all(b.output.n != '3')",
        ] {
            assert_eq!(Runtime::parse(text).map(|c| c.to_string()), Ok(text.to_owned()), "written as it was read");
        }
        for bad in ["", "maybe", "children.all()", "children.count(status == 'x')", "file.exists(x)", "status = 1"] {
            assert!(Runtime::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_status_may_be_called_as_beads_or_as_conditions_call_it() {
        /// Each step has the status that it is called by.
        struct Called;
        impl State for Called {
            fn file_exists(&self, _: &str) -> bool {
                false
            }
            fn env(&self, _: &str) -> Option<String> {
                None
            }
            fn steps_in(&self, _: &str) -> usize {
                0
            }
            fn field(&self, step: Option<&str>, path: &str) -> Option<String> {
                Some(if path == "status" { step.unwrap_or("pending") } else { "open" }.to_owned())
            }
            fn members(&self, _: Option<&str>, _: bool) -> Vec<String> {
                vec!["complete".to_owned(), "pending".to_owned()]
            }
        }
        for (text, expected) in [
            ("complete.status == 'closed'", true),
            ("complete.status == 'complete'", true),
            ("complete.status != 'closed'", false),
            ("pending.status == 'open'", true),
            ("pending.status != 'open'", false),
            ("status == 'open'", true),
            ("in_progress.status == 'in_progress'", true),
            ("children.count(status == 'closed') == 1", true),
            ("children.count(status == 'open') == 1", true),
            ("complete.output.word == 'open'", true),
            ("complete.output.word == 'pending'", false),
        ] {
            assert_eq!(Runtime::parse(text).expect("a condition").holds(&Called), expected, "{text}");
        }
    }

    #[test]
    fn numbers_compare_as_numbers_and_nothing_equals_only_nothing() {
        assert!(compare(Some("10"), Op::Gt, "9"));
        assert!(compare(Some("b"), Op::Gt, "a"));
        assert!(compare(None, Op::Eq, "") && !compare(None, Op::Eq, "x") && compare(None, Op::Ne, "x"));
    }
}
