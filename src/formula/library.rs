//! Where formulas are found: layers of folders, nearest first, and the ones built in.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use super::{At, Diagnostic, Limits, Report, Source};

/// Whose formulas a folder holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Layer {
    /// A path that was given on the command line.
    Given,
    /// `.beads/formulas` that a repository keeps.
    Repository,
    /// `<town>/<rig>/formulas`.
    Rig,
    /// `<town>/.beads/formulas`.
    Town,
    /// `~/.beads/formulas`.
    Home,
    /// Shipped with the program.
    Builtin,
}

impl Layer {
    /// Whether an unknown key is an error: in formulas written for this program it is a slip, in others it may be
    /// somebody else's extension.
    pub const fn strict(self) -> bool {
        matches!(self, Self::Builtin | Self::Town | Self::Rig)
    }

    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Given => "given",
            Self::Repository => "repository",
            Self::Rig => "rig",
            Self::Town => "town",
            Self::Home => "home",
            Self::Builtin => "builtin",
        }
    }
}

/// A file that was found.
#[derive(Debug, Clone)]
pub struct Found {
    /// Its text.
    pub source: Arc<Source>,
    /// JSON rather than TOML.
    pub json: bool,
    /// The same name in layers further away, which this one hides: their paths.
    pub shadows: Vec<String>,
}

/// A Lua aspect that was found.
#[derive(Debug, Clone)]
pub struct AspectFile {
    /// The name by which it was asked for.
    pub name: String,
    /// Its text.
    pub source: Arc<Source>,
}

/// A line of `bd formula list`.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Listed {
    /// The value of the `formula` key.
    pub name: String,
    /// `workflow`, `expansion`, `aspect`, `convoy` or `patrol`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The first line of its description, at most 60 characters.
    pub description: String,
    /// The file.
    pub source: String,
    /// Top-level steps.
    pub steps: usize,
    /// Declared variables.
    pub vars: usize,
    /// The formulas that it extends.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub extends: Vec<String>,
    /// Whose it is.
    pub layer: Layer,
    /// Files of the same name that this one hides.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub shadows: Vec<String>,
    /// Why it cannot be read, if it cannot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Listed {
    /// A Lua aspect; its first line says what it is for.
    fn lua(file: &AspectFile) -> Self {
        let line = file.source.text.lines().next().and_then(|l| l.strip_prefix("--")).unwrap_or_default();
        Self {
            name: file.name.clone(),
            kind: "aspect".to_owned(),
            description: crate::base::text::headline(line.trim(), 60),
            source: file.source.path.clone(),
            steps: 0,
            vars: 0,
            extends: Vec::new(),
            layer: file.source.layer,
            shadows: Vec::new(),
            error: None,
        }
    }
}

#[derive(Debug, Clone)]
enum Shelf {
    Dir(Layer, PathBuf),
    /// A text as if it were a file: its name, and how it is called in messages.
    Text {
        layer: Layer,
        name: String,
        path: String,
        text: String,
    },
}

/// The search path for formulas and aspects.
#[derive(Debug, Clone, Default)]
pub struct Library {
    shelves: Vec<Shelf>,
    late: Option<Arc<Late>>,
    limits: Limits,
}

/// What is put behind everything else when it is first asked for.
struct Late {
    put: Box<dyn Fn(&mut Library) + Send + Sync>,
    shelves: OnceLock<Vec<Shelf>>,
}

impl std::fmt::Debug for Late {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Late").field("shelves", &self.shelves).finish_non_exhaustive()
    }
}

const ENDINGS: [&str; 2] = [".formula.toml", ".formula.json"];

/// Whether a file is JSON.
fn is_json(file: &str) -> bool {
    file.to_ascii_lowercase().ends_with(ENDINGS[1])
}

/// Whether a formula is named by its path, and not by a name that is looked for. What is looked for has its ending in
/// lower case.
pub fn is_path(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    name.contains('/') || ENDINGS.iter().any(|ending| lower.ends_with(ending))
}

/// The ending of a Lua aspect.
const LUA: &str = ".lua";

/// The formulas and aspects in the binary: file name and text.
const BUILTIN: &[(&str, &str)] = &[
    ("beads-release.formula.toml", include_str!("../../formulas/beads-release.formula.toml")),
    ("code-review.formula.toml", include_str!("../../formulas/code-review.formula.toml")),
    ("deacon-patrol.formula.toml", include_str!("../../formulas/deacon-patrol.formula.toml")),
    ("design.formula.toml", include_str!("../../formulas/design.formula.toml")),
    ("hanoi.formula.toml", include_str!("../../formulas/hanoi.formula.toml")),
    ("polecat-work.formula.toml", include_str!("../../formulas/polecat-work.formula.toml")),
    ("refinery-patrol.formula.toml", include_str!("../../formulas/refinery-patrol.formula.toml")),
    ("release.formula.toml", include_str!("../../formulas/release.formula.toml")),
    ("rule-of-five.formula.toml", include_str!("../../formulas/rule-of-five.formula.toml")),
    ("security-audit.formula.toml", include_str!("../../formulas/security-audit.formula.toml")),
    ("shiny-enterprise.formula.toml", include_str!("../../formulas/shiny-enterprise.formula.toml")),
    ("shiny-secure.formula.toml", include_str!("../../formulas/shiny-secure.formula.toml")),
    ("shiny.formula.toml", include_str!("../../formulas/shiny.formula.toml")),
    ("tdd.formula.toml", include_str!("../../formulas/tdd.formula.toml")),
    ("town-shutdown.formula.toml", include_str!("../../formulas/town-shutdown.formula.toml")),
    ("town-start.formula.toml", include_str!("../../formulas/town-start.formula.toml")),
    ("witness-patrol.formula.toml", include_str!("../../formulas/witness-patrol.formula.toml")),
    ("docs-check.lua", include_str!("../../lua/aspects/docs-check.lua")),
    ("security-review.lua", include_str!("../../lua/aspects/security-review.lua")),
];

impl Library {
    /// An empty library: not even the built-in formulas.
    pub fn empty() -> Self {
        Self::default()
    }

    /// The folders, nearest first, then the built-in formulas. A folder that does not exist is an empty one; one
    /// that comes twice counts once.
    pub fn new(dirs: impl IntoIterator<Item = (Layer, PathBuf)>) -> Self {
        let mut this = Self::empty();
        let mut seen = Vec::new();
        for (layer, dir) in dirs {
            let known = fs::canonicalize(&dir).unwrap_or_else(|_| dir.clone());
            if !seen.contains(&known) {
                seen.push(known);
                this.shelves.push(Shelf::Dir(layer, dir));
            }
        }
        for (name, text) in BUILTIN {
            this.add(Layer::Builtin, name, text);
        }
        this
    }

    /// Adds a text as if it were a file of that name, behind what is there already.
    pub fn add(&mut self, layer: Layer, file_name: &str, text: &str) {
        self.add_from(layer, file_name, &format!("{}:{file_name}", layer.word()), text);
    }

    /// [`Library::add`] for a text that comes from `path`.
    pub fn add_from(&mut self, layer: Layer, file_name: &str, path: &str, text: &str) {
        let (name, path, text) = (file_name.to_owned(), path.to_owned(), text.to_owned());
        self.shelves.push(Shelf::Text { layer, name, path, text });
    }

    /// Puts more behind what is there, once somebody asks for a name that is not there, or for all names.
    pub fn later(&mut self, put: impl Fn(&mut Self) + Send + Sync + 'static) {
        self.late = Some(Arc::new(Late { put: Box::new(put), shelves: OnceLock::new() }));
    }

    /// All shelves, also those that are filled late.
    fn all(&self) -> impl Iterator<Item = &Shelf> {
        let late = self.late.as_ref().map(|late| {
            late.shelves.get_or_init(|| {
                let mut library = Self::empty();
                (late.put)(&mut library);
                library.shelves
            })
        });
        self.shelves.iter().chain(late.into_iter().flatten())
    }

    /// Adds what a repository keeps, file name, path and text of each, behind the other files of repositories.
    pub fn add_repository(&mut self, files: impl IntoIterator<Item = (String, String, String)>) {
        let near = |shelf: &Shelf| matches!(shelf, Shelf::Dir(Layer::Given | Layer::Repository, _));
        let at = self.shelves.iter().rposition(near).map_or(0, |last| last + 1);
        let shelf = |(name, path, text)| Shelf::Text { layer: Layer::Repository, name, path, text };
        self.shelves.splice(at..at, files.into_iter().map(shelf));
    }

    /// All of this library, and behind it all of `other`.
    #[must_use]
    pub fn before(mut self, other: &Self) -> Self {
        self.shelves.extend(other.all().cloned());
        self
    }

    /// Where a formula is named by its path, what stands beside it is nearest: as a folder of formulas was written
    /// together, so it is read together. None for other names, and for folders that are searched anyway.
    pub(crate) fn beside(&self, name: &str) -> Option<Self> {
        let folder = Path::new(name).parent().filter(|_| is_path(name))?;
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        let same = fs::canonicalize(folder).ok()?;
        let known = |shelf: &Shelf| match shelf {
            Shelf::Dir(_, dir) => fs::canonicalize(dir).is_ok_and(|dir| dir == same),
            Shelf::Text { .. } => false,
        };
        if self.shelves.iter().any(known) {
            return None;
        }
        let mut library = self.clone();
        library.shelves.insert(0, Shelf::Dir(Layer::Given, folder.to_owned()));
        Some(library)
    }

    /// Other bounds than the default ones.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// The bounds.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// The formula called `name`: by file name, else by its `formula` key. A name with a `/` or an ending is a path.
    pub fn find(&self, name: &str) -> Result<Found, Report> {
        if is_path(name) {
            return match self.read(Layer::Given, Path::new(name)) {
                Some(Ok(source)) => Ok(Found { json: is_json(name), source, shadows: Vec::new() }),
                Some(Err(e)) => Err(e.into()),
                None => Err(Diagnostic::error("no-file", format!("there is no file `{name}`"))
                    .help("a name without `/` and ending is looked for; `bd formula list` shows what there is")
                    .into()),
            };
        }
        let mut found: Option<Found> = None;
        for shelf in &self.shelves {
            for ending in ENDINGS {
                if let Some(source) = self.take(shelf, &format!("{name}{ending}")).transpose()? {
                    match &mut found {
                        Some(first) => first.shadows.push(source.path.clone()),
                        None => {
                            found = Some(Found { json: ending.ends_with("json"), source, shadows: Vec::new() });
                        }
                    }
                }
            }
        }
        if let Some(found) = found {
            return Ok(found);
        }
        for shelf in self.all().skip(self.shelves.len()) {
            if let Some(source) = self.take(shelf, &format!("{name}{}", ENDINGS[0])).transpose()? {
                return Ok(Found { json: false, source, shadows: Vec::new() });
            }
        }
        for (source, json) in self.files() {
            if super::parse::name_of(&source, json).as_deref() == Some(name) {
                return Ok(Found { source, json, shadows: Vec::new() });
            }
        }
        Err(self.missing(name, None).into())
    }

    /// The error for a name that is nowhere; `by` is the place that asked for it.
    pub(crate) fn missing(&self, name: &str, by: Option<&At>) -> Diagnostic {
        if let Ok(Some(aspect)) = self.find_lua(name) {
            let message = format!("`{name}` is an aspect in Lua ({}), and no formula", aspect.source.path);
            let help = format!("name it in `compose.aspects` of a formula; `bd formula check {name}` looks it over");
            let error = Diagnostic::error("unknown-formula", message).help(help);
            return match by {
                Some(at) => error.at(at, "not a formula"),
                None => error,
            };
        }
        let names: Vec<String> = self.names().into_iter().chain(self.lua_names()).collect();
        let places: Vec<String> = self
            .shelves
            .iter()
            .filter_map(|s| match s {
                Shelf::Dir(layer, dir) => Some(format!("{} ({})", dir.display(), layer.word())),
                Shelf::Text { .. } => None,
            })
            .chain([String::from("the built-in formulas")])
            .collect();
        let error = Diagnostic::error("unknown-formula", format!("there is no formula `{name}`"))
            .help(format!("searched: {}; `bd formula list` shows what there is", places.join(", ")))
            .suggest(name, names.iter().map(String::as_str));
        match by {
            Some(at) => error.at(at, "not found"),
            None => error,
        }
    }

    /// The Lua aspect called `name`, unless a TOML or JSON file of that name is nearer.
    pub fn find_lua(&self, name: &str) -> Result<Option<AspectFile>, Report> {
        for shelf in &self.shelves {
            for ending in ENDINGS {
                if self.take(shelf, &format!("{name}{ending}")).transpose()?.is_some() {
                    return Ok(None);
                }
            }
            if let Some(source) = self.take(shelf, &format!("{name}{LUA}")).transpose()? {
                return Ok(Some(AspectFile { name: name.to_owned(), source }));
            }
        }
        Ok(None)
    }

    /// File names of formulas without their ending, nearest first, each once.
    pub fn names(&self) -> Vec<String> {
        self.stems(&ENDINGS)
    }

    /// File names of Lua aspects without their ending, nearest first, each once. Their tests are none.
    pub fn lua_names(&self) -> Vec<String> {
        let mut names = self.stems(&[LUA]);
        names.retain(|name| !name.ends_with("_test"));
        names
    }

    fn stems(&self, endings: &[&str]) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for shelf in self.all() {
            for file in Self::file_names(shelf) {
                if let Some(stem) = endings.iter().find_map(|e| file.strip_suffix(e))
                    && !names.iter().any(|n| n == stem)
                {
                    names.push(stem.to_owned());
                }
            }
        }
        names
    }

    /// What there is, sorted by name, with what hides what. Files that do not parse are listed with the reason.
    pub fn list(&self) -> Vec<Listed> {
        let mut all: Vec<Listed> = Vec::new();
        let formulas = self.files().into_iter().map(|(source, json)| super::parse::summary(&source, json));
        let aspects = self.lua_names().into_iter().filter_map(|name| self.find_lua(&name).ok().flatten());
        for entry in formulas.chain(aspects.map(|file| Listed::lua(&file))) {
            match all.iter_mut().find(|l| l.name == entry.name) {
                Some(nearer) => nearer.shadows.push(entry.source),
                None => all.push(entry),
            }
        }
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }

    fn files(&self) -> Vec<(Arc<Source>, bool)> {
        let mut files = Vec::new();
        for shelf in self.all() {
            for file in Self::file_names(shelf) {
                if ENDINGS.iter().any(|e| file.ends_with(e))
                    && let Some(Ok(source)) = self.take(shelf, &file)
                {
                    files.push((source, is_json(&file)));
                }
            }
        }
        files
    }

    fn file_names(shelf: &Shelf) -> Vec<String> {
        match shelf {
            Shelf::Text { name, .. } => vec![name.clone()],
            Shelf::Dir(_, dir) => {
                let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
                let mut names: Vec<String> =
                    entries.flatten().filter_map(|e| e.file_name().into_string().ok()).collect();
                // `x.formula.toml` comes before `x.formula.json`.
                names.sort_by(|a, b| {
                    a.rsplit_once('.').map(|p| p.0).cmp(&b.rsplit_once('.').map(|p| p.0)).then(b.cmp(a))
                });
                names
            }
        }
    }

    fn take(&self, from: &Shelf, file: &str) -> Option<Result<Arc<Source>, Report>> {
        match from {
            Shelf::Dir(layer, dir) => self.read(*layer, &dir.join(file)).map(|r| r.map_err(Report::from)),
            Shelf::Text { layer, name, path, text } if name == file => {
                Some(Ok(Arc::new(Source::new(path.clone(), text.as_str(), *layer))))
            }
            Shelf::Text { .. } => None,
        }
    }

    fn read(&self, layer: Layer, path: &Path) -> Option<Result<Arc<Source>, Diagnostic>> {
        let shown = path.display().to_string();
        let fail = |why: String| Some(Err(Diagnostic::error("unreadable", format!("{shown} cannot be read: {why}"))));
        // A pipe or a device may have no end, or wait for ever for its beginning.
        let kind = match fs::metadata(path) {
            Ok(found) if found.is_file() => None,
            Ok(found) if found.is_dir() => Some("it is a folder"),
            Ok(_) => Some("it is no regular file"),
            // Opening it says why.
            Err(_) => None,
        };
        if let Some(kind) = kind {
            return fail(kind.to_owned());
        }
        let file = match fs::File::open(path) {
            Ok(file) => file,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return None,
            Err(e) => return fail(e.to_string()),
        };
        let limit = self.limits.file_bytes;
        let mut bytes = Vec::new();
        if let Err(e) = file.take(limit + 1).read_to_end(&mut bytes) {
            return fail(e.to_string());
        }
        if bytes.len() as u64 > limit {
            return Some(Err(Diagnostic::error("too-large", format!("{shown} is larger than {limit} bytes"))
                .help("a formula of that size is generated: use a loop (limit `formula.max_file_bytes`)")));
        }
        match String::from_utf8(bytes) {
            Ok(text) => Some(Ok(Arc::new(Source::new(shown, text, layer)))),
            Err(e) => {
                let good = e.utf8_error().valid_up_to();
                let before = String::from_utf8_lossy(&e.as_bytes()[..good]).into_owned();
                let (line, column) =
                    (before.matches('\n').count() + 1, before.rsplit('\n').next().map_or(1, |l| l.chars().count() + 1));
                Some(Err(Diagnostic::error("encoding", format!("{shown}:{line}:{column} is not UTF-8"))
                    .help(format!("byte {good} of the file begins no character; save it as UTF-8"))))
            }
        }
    }
}
