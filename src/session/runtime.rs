//! Runtimes: how an agent's program is started, fed and understood. All of it is data.
//!
//! The built-in presets are `runtimes/*.toml`; `[runtimes.NAME]` in `town.toml` changes one key by key, or adds
//! one (`like = "claude"` starts from another).

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{DialogSign, Signs};
use crate::base::{process::find_program, text};

/// How the first prompt reaches the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PromptChannel {
    /// As an argument.
    Argument,
    /// Typed, once the screen is ready.
    Typed,
    /// It needs none.
    None,
}

/// One `[runtimes.NAME]` table: every key is optional and replaces the preset's.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RuntimeSettings {
    /// Start from this preset instead of the one of the same name.
    pub like: Option<String>,
    /// The name for people.
    pub title: Option<String>,
    /// The program: a name in `PATH` or a path.
    pub program: Option<String>,
    /// Arguments of every start.
    pub args: Option<Vec<String>>,
    /// Those of `args` that switch the program's own permission checks off.
    pub unchecked: Option<Vec<String>>,
    /// Added when the conversation gets an id of our choice (`{session}`).
    pub with_session: Option<Vec<String>>,
    /// Added when there is a settings file (`{settings}`).
    pub with_settings: Option<Vec<String>>,
    /// Added when there is a first prompt and it is an argument (`{prompt}`).
    pub with_prompt: Option<Vec<String>>,
    /// In place of `with_session`, to take up the conversation `{session}`. Empty: it cannot. Nor can it take one up by
    /// an id that it was never given.
    pub resume_args: Option<Vec<String>>,
    /// How the first prompt gets in.
    pub prompt: Option<PromptChannel>,
    /// Variables to set.
    pub env: BTreeMap<String, String>,
    /// Variables to hand through from the person's environment; `*` at the end stands for anything.
    pub inherit: Option<Vec<String>>,
    /// What its screen means.
    pub signs: SignSettings,
}

/// The patterns of [`Signs`], as text. Regular expressions in the syntax of the `regex` crate.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SignSettings {
    /// See [`Signs::ready`].
    pub ready: Option<Vec<String>>,
    /// See [`Signs::busy`].
    pub busy: Option<Vec<String>>,
    /// See [`Signs::dialog`].
    pub dialog: Option<Vec<DialogSettings>>,
    /// See [`Signs::limit`].
    pub limit: Option<Vec<String>>,
    /// See [`Signs::input`].
    pub input: Option<String>,
    /// See [`Signs::input_end`].
    pub input_end: Option<String>,
    /// See [`Signs::folded`].
    pub folded: Option<String>,
    /// See [`Signs::placeholder`].
    pub placeholder: Option<String>,
    /// See [`Signs::queued`].
    pub queued: Option<String>,
}

/// One known dialog.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DialogSettings {
    /// What it is called.
    pub name: String,
    /// How it is recognised.
    pub pattern: String,
}

/// Why a `[runtimes.NAME]` table cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("[runtimes.{runtime}] {message}")]
pub struct RuntimeError {
    /// The runtime.
    pub runtime: String,
    /// What is wrong, and what would be right.
    pub message: String,
}

/// How to start and read one kind of agent.
#[derive(Debug, Clone)]
pub struct Runtime {
    /// Its name in settings, as `claude`.
    pub name: String,
    /// Its name for people.
    pub title: String,
    /// The program.
    pub program: String,
    /// Whether the first prompt is an argument, typed, or not needed.
    pub prompt: PromptChannel,
    /// Variables to set.
    pub env: BTreeMap<String, String>,
    /// Variables to hand through.
    pub inherit: Vec<String>,
    /// What its screen means.
    pub signs: Signs,
    args: Vec<String>,
    unchecked: Vec<String>,
    with_session: Vec<String>,
    with_settings: Vec<String>,
    with_prompt: Vec<String>,
    resume_args: Vec<String>,
}

/// What one start of a runtime depends on.
#[derive(Debug, Clone, Default)]
pub struct Launch<'a> {
    /// The town's `.runtime` folder, where the scripted worker lies (`{runtime_dir}`).
    pub runtime_dir: &'a str,
    /// The first prompt.
    pub prompt: Option<&'a str>,
    /// The id of the conversation.
    pub session: Option<&'a str>,
    /// The folder that it works in (`{folder}`; as a string of TOML, with its quotes: `{folder_toml}`).
    pub folder: &'a str,
    /// A settings file of ours.
    pub settings: Option<&'a str>,
    /// Take up the conversation `session` instead of beginning it.
    pub resume: bool,
}

impl Runtime {
    /// The executable, if `path` (as in `PATH`) has it. A relative folder never counts.
    pub fn installed(&self, path: &str) -> Option<PathBuf> {
        find_program(&self.program, path)
    }

    /// The arguments by which it starts without its own permission checks; empty when it asks before it acts.
    pub fn unchecked(&self) -> Vec<&str> {
        let off = self.args.iter().filter(|arg| self.unchecked.contains(arg));
        off.map(String::as_str).collect()
    }

    /// Whether it can take up a conversation: by an id that it was given.
    pub fn can_resume(&self) -> bool {
        let by_id = self.resume_args.iter().any(|arg| arg.contains("{session}"));
        !self.resume_args.is_empty() && (!by_id || !self.with_session.is_empty())
    }

    /// Program and arguments for one start. Without a session id, or where it cannot resume, it begins anew.
    pub fn argv(&self, launch: &Launch<'_>) -> Vec<String> {
        let mut parts: Vec<&[String]> = vec![&self.args];
        match launch.session {
            Some(_) if launch.resume && self.can_resume() => parts.push(&self.resume_args),
            Some(_) => parts.push(&self.with_session),
            None => {}
        }
        if launch.settings.is_some() {
            parts.push(&self.with_settings);
        }
        if launch.prompt.is_some() && self.prompt == PromptChannel::Argument {
            parts.push(&self.with_prompt);
        }
        let fill = |template: &String| match template.as_str() {
            // Whole arguments only: a prompt is never searched for placeholders.
            "{prompt}" => launch.prompt.unwrap_or_default().to_owned(),
            t => t
                .replace("{session}", launch.session.unwrap_or_default())
                .replace("{settings}", launch.settings.unwrap_or_default())
                .replace("{runtime_dir}", launch.runtime_dir)
                .replace("{folder_toml}", &toml_string(launch.folder))
                .replace("{folder}", launch.folder),
        };
        std::iter::once(self.program.clone()).chain(parts.into_iter().flatten().map(fill)).collect()
    }

    /// The environment of a session: what the runtime inherits of `outer`, then what it sets.
    pub fn environment(&self, outer: impl IntoIterator<Item = (String, String)>) -> Vec<(String, String)> {
        let wanted = |name: &str| {
            self.inherit.iter().any(|p| p.strip_suffix('*').map_or(p == name, |start| name.starts_with(start)))
        };
        let mut vars: BTreeMap<String, String> = outer.into_iter().filter(|(n, _)| wanted(n)).collect();
        vars.extend(self.env.clone());
        vars.into_iter().collect()
    }
}

/// All runtimes of a town.
#[derive(Debug, Clone)]
pub struct Runtimes(BTreeMap<String, Runtime>);

const BUILT_IN: &[(&str, &str)] = &[
    ("amp", include_str!("runtimes/amp.toml")),
    ("claude", include_str!("runtimes/claude.toml")),
    ("codex", include_str!("runtimes/codex.toml")),
    ("copilot", include_str!("runtimes/copilot.toml")),
    ("cursor", include_str!("runtimes/cursor.toml")),
    ("gemini", include_str!("runtimes/gemini.toml")),
    ("opencode", include_str!("runtimes/opencode.toml")),
    ("script", include_str!("runtimes/script.toml")),
];

impl Runtimes {
    /// The presets, changed and extended by the `[runtimes.NAME]` tables.
    pub fn load(tables: &BTreeMap<String, toml::Table>) -> Result<Self, RuntimeError> {
        let mut presets = BTreeMap::new();
        for (name, text) in BUILT_IN {
            let settings = toml::from_str(text).map_err(|e| bad(name, e.message()))?;
            presets.insert((*name).to_owned(), settings);
        }
        let mut all: BTreeMap<String, RuntimeSettings> = presets.clone();
        for (name, table) in tables {
            let change: RuntimeSettings =
                table.clone().try_into().map_err(|e: toml::de::Error| bad(name, e.message()))?;
            let base = match &change.like {
                Some(like) => presets.get(like).cloned().ok_or_else(|| unknown(name, like, &presets))?,
                None => presets.get(name).cloned().unwrap_or_default(),
            };
            all.insert(name.clone(), base.changed_by(change));
        }
        all.into_iter()
            .map(|(name, settings)| Ok((name.clone(), settings.finish(&name)?)))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// The presets alone.
    pub fn built_in() -> Self {
        Self::load(&BTreeMap::new()).unwrap_or_else(|e| unreachable!("the built-in runtimes are tested: {e}"))
    }

    /// The names of the presets, without reading them.
    pub fn built_in_names<'a>() -> impl Iterator<Item = &'a str> {
        BUILT_IN.iter().map(|(name, _)| *name)
    }

    /// The runtime called `name`.
    pub fn get(&self, name: &str) -> Option<&Runtime> {
        self.0.get(name)
    }

    /// A name like `name` that exists, to suggest.
    pub fn similar(&self, name: &str) -> Option<&str> {
        text::similar(name, self.0.keys().map(String::as_str))
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Runtime> {
        self.0.values()
    }

    /// The names of those whose program is in `path`.
    pub fn installed(&self, path: &str) -> Vec<&str> {
        self.iter().filter(|r| r.installed(path).is_some()).map(|r| r.name.as_str()).collect()
    }
}

/// `text` as a basic string of TOML. What JSON escapes, TOML reads in the same way.
fn toml_string(text: &str) -> String {
    serde_json::Value::from(text).to_string().replace('\u{7f}', "\\u007f")
}

fn bad(runtime: &str, message: impl Into<String>) -> RuntimeError {
    RuntimeError { runtime: runtime.to_owned(), message: message.into() }
}

fn unknown(name: &str, like: &str, presets: &BTreeMap<String, RuntimeSettings>) -> RuntimeError {
    let known: Vec<&str> = presets.keys().map(String::as_str).collect();
    bad(name, format!("like = \"{like}\": there is no such preset, only {}", known.join(", ")))
}

impl RuntimeSettings {
    fn changed_by(self, new: Self) -> Self {
        let mut env = self.env;
        env.extend(new.env);
        Self {
            like: None,
            title: new.title.or(self.title),
            program: new.program.or(self.program),
            args: new.args.or(self.args),
            unchecked: new.unchecked.or(self.unchecked),
            with_session: new.with_session.or(self.with_session),
            with_settings: new.with_settings.or(self.with_settings),
            with_prompt: new.with_prompt.or(self.with_prompt),
            resume_args: new.resume_args.or(self.resume_args),
            prompt: new.prompt.or(self.prompt),
            env,
            inherit: new.inherit.or(self.inherit),
            signs: SignSettings {
                ready: new.signs.ready.or(self.signs.ready),
                busy: new.signs.busy.or(self.signs.busy),
                dialog: new.signs.dialog.or(self.signs.dialog),
                limit: new.signs.limit.or(self.signs.limit),
                input: new.signs.input.or(self.signs.input),
                input_end: new.signs.input_end.or(self.signs.input_end),
                folded: new.signs.folded.or(self.signs.folded),
                placeholder: new.signs.placeholder.or(self.signs.placeholder),
                queued: new.signs.queued.or(self.signs.queued),
            },
        }
    }

    fn finish(self, name: &str) -> Result<Runtime, RuntimeError> {
        let program = self
            .program
            .filter(|p| !p.is_empty())
            .ok_or_else(|| bad(name, "is not a preset, so it needs `program = \"...\"` or `like = \"claude\"`"))?;
        let with_prompt = self.with_prompt.unwrap_or_default();
        let prompt = self.prompt.unwrap_or(PromptChannel::Typed);
        if prompt == PromptChannel::Argument && !with_prompt.iter().any(|a| a == "{prompt}") {
            return Err(bad(name, "prompt = \"argument\" needs `with_prompt` with an argument \"{prompt}\""));
        }
        Ok(Runtime {
            title: self.title.unwrap_or_else(|| name.to_owned()),
            program,
            prompt,
            env: self.env,
            inherit: self.inherit.unwrap_or_default(),
            signs: self.signs.finish(name)?,
            unchecked: self.unchecked.unwrap_or_default(),
            args: self.args.unwrap_or_default(),
            with_session: self.with_session.unwrap_or_default(),
            with_settings: self.with_settings.unwrap_or_default(),
            with_prompt,
            resume_args: self.resume_args.unwrap_or_default(),
            name: name.to_owned(),
        })
    }
}

impl SignSettings {
    fn finish(self, name: &str) -> Result<Signs, RuntimeError> {
        let one = |p: Option<String>| p.map(|p| compile(name, &p)).transpose();
        let many = |p: Option<Vec<String>>| {
            p.unwrap_or_default().iter().map(|p| compile(name, p)).collect::<Result<Vec<_>, _>>()
        };
        let dialog = self.dialog.unwrap_or_default().into_iter();
        Ok(Signs {
            ready: many(self.ready)?,
            busy: many(self.busy)?,
            dialog: dialog
                .map(|d| Ok(DialogSign { pattern: compile(name, &d.pattern)?, name: d.name }))
                .collect::<Result<_, RuntimeError>>()?,
            limit: many(self.limit)?,
            input: one(self.input)?,
            input_end: one(self.input_end)?,
            folded: one(self.folded)?,
            placeholder: one(self.placeholder)?,
            queued: one(self.queued)?,
        })
    }
}

fn compile(runtime: &str, pattern: &str) -> Result<regex::Regex, RuntimeError> {
    regex::RegexBuilder::new(pattern)
        .multi_line(true)
        .size_limit(1 << 20)
        .build()
        .map_err(|e| bad(runtime, format!("`{}` is not a pattern: {}", text::headline(pattern, 60), last_line(&e))))
}

fn last_line(e: &regex::Error) -> String {
    let text = e.to_string();
    text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str) -> Result<Runtimes, RuntimeError> {
        let table: toml::Table = toml::from_str(text).expect("toml");
        let tables = table.into_iter().map(|(name, value)| (name, value.as_table().expect("table").clone()));
        Runtimes::load(&tables.collect())
    }

    #[test]
    fn the_presets_are_sound() {
        let all = Runtimes::built_in();
        let names: Vec<_> = all.iter().map(|r| r.name.as_str()).collect();
        assert_eq!(names, ["amp", "claude", "codex", "copilot", "cursor", "gemini", "opencode", "script"]);
        for runtime in all.iter() {
            let launch = Launch { runtime_dir: "/r", folder: "/f", prompt: Some("p"), ..Launch::default() };
            for arg in runtime.argv(&launch) {
                let left = ["{session}", "{settings}", "{runtime_dir}", "{folder", "{prompt}"];
                assert!(!left.iter().any(|p| arg.contains(p)) && !arg.is_empty(), "{}: {arg}", runtime.name);
            }
        }
        assert_eq!(all.similar("cladue"), Some("claude"));
    }

    #[test]
    fn an_argument_list_is_made_of_what_is_known() {
        let all = Runtimes::built_in();
        let claude = all.get("claude").expect("built in");
        let start = Launch { prompt: Some("do {session}"), session: Some("id-1"), ..Launch::default() };
        assert_eq!(
            claude.argv(&start),
            ["claude", "--dangerously-skip-permissions", "--session-id", "id-1", "do {session}"]
        );
        let resume = Launch { settings: Some("/s.json"), resume: true, ..start };
        assert_eq!(claude.argv(&resume)[2..], ["--resume", "id-1", "--settings", "/s.json", "do {session}"]);
        let script = all.get("script").expect("built in");
        assert_eq!(
            script.argv(&Launch { runtime_dir: "/t/.runtime", ..start }),
            ["/bin/sh", "/t/.runtime/script-worker"]
        );
        assert!(!script.can_resume() && claude.can_resume());
        let codex = all.get("codex").expect("built in");
        let trusted = r#"projects={"/w/toast"={trust_level="trusted"}}"#;
        let again = Launch { folder: "/w/toast", resume: true, ..start };
        assert_eq!(codex.argv(&again)[6..], [trusted, "do {session}"]);
        let odd = "/w/a \"b\"\\c\u{7f}\n";
        let argument = &codex.argv(&Launch { folder: odd, ..start })[6];
        let read: toml::Table = toml::from_str(argument).expect("TOML, whatever the folder is called");
        assert_eq!(read["projects"].as_table().expect("a table").keys().collect::<Vec<_>>(), [odd]);
        // Its conversations have ids of its own, which nobody has told us.
        let stranger =
            Runtimes::load(&toml::from_str("[x]\nprogram = \"x\"\nresume_args = [\"{session}\"]").expect("toml"));
        assert!(!stranger.expect("loads").get("x").expect("there").can_resume());
    }

    #[test]
    fn a_preset_is_changed_key_by_key() {
        let all = load("[claude]\nprogram = \"/opt/claude\"\nenv = { A = \"1\" }\n[fast]\nlike = \"claude\"\nargs = []\n[own]\nprogram = \"agent\"")
            .expect("loaded");
        let claude = all.get("claude").expect("there");
        assert_eq!((claude.program.as_str(), claude.title.as_str()), ("/opt/claude", "Claude Code"));
        assert_eq!(claude.env.len(), 2);
        assert!(!claude.signs.ready.is_empty());
        assert_eq!(all.get("fast").expect("there").argv(&Launch::default()), ["claude"]);
        assert_eq!(all.get("own").expect("there").prompt, PromptChannel::Typed);
    }

    #[test]
    fn mistakes_are_named() {
        let message = |text: &str| load(text).expect_err("refused").to_string();
        assert!(message("[claude]\nprogramm = \"x\"").starts_with("[runtimes.claude] unknown field `programm`"));
        assert!(message("[own]\nargs = []").contains("needs `program"));
        assert!(message("[own]\nlike = \"clod\"").contains("there is no such preset"));
        assert!(
            message("[own]\nprogram = \"x\"\nsigns = { busy = [\"(\"] }")
                .contains("`(` is not a pattern: unclosed group")
        );
        assert!(message("[own]\nprogram = \"x\"\nprompt = \"argument\"").contains("needs `with_prompt`"));
    }

    #[test]
    fn only_what_a_runtime_names_is_handed_through() {
        let all = Runtimes::built_in();
        let outer = [("HOME", "/h"), ("ANTHROPIC_API_KEY", "k"), ("SECRET", "s"), ("LC_ALL", "C")];
        let outer = || outer.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned()));
        let names = |runtime: &str| -> Vec<String> {
            all.get(runtime).expect("built in").environment(outer()).into_iter().map(|(n, _)| n).collect()
        };
        assert_eq!(names("claude"), ["ANTHROPIC_API_KEY", "DISABLE_AUTOUPDATER", "HOME", "LC_ALL"]);
        assert_eq!(names("codex"), ["HOME", "LC_ALL"]);
        assert!(names("script").is_empty());
    }
}
