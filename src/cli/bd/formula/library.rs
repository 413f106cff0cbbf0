//! Where `bd` finds formulas, and how it tells what is wrong with them.

use std::path::{Path, PathBuf};

use super::super::Context;
use crate::base::RigName;
use crate::cli::{CliError, formula_error, output};
use crate::config::Overrides;
use crate::formula::{
    Advice, AspectFile, Aspects, Cooked, Functions, Layer, Library, Limits, Mode, Options, Places, Proto, Report,
    StepView, Vars, compile, compile_proto,
};
use crate::molecule;
use crate::policy::LuaAspects;
use crate::town::Town;
use crate::town::roles::functions;

pub(in super::super) use crate::cli::formula_error::var;

/// The folders that are searched, nearest first: `--search-path`, repository, rig, town, home; then the built-in
/// formulas.
pub(in super::super) fn library(cx: &Context, more: &[PathBuf]) -> Library {
    let given = more.iter().map(|dir| (Layer::Given, cx.env.path(dir)));
    let place = cx.place();
    let places = Places {
        work_tree: cx.env.work_tree().map(Path::to_owned),
        tracker: place.town.is_none().then(|| place.beads_dir.clone()),
        rig: place.town.as_ref().zip(place.rig.as_ref()).map(|(town, rig)| town.join(rig)),
        town: place.town.clone(),
        home: cx.env.home.clone(),
    };
    let in_no_tree = places.work_tree.is_none();
    let mut library = Library::new(given.chain(places.folders())).with_limits(limits(cx));
    if let Some(root) = &place.town
        && let Ok(town) = Town::find(root, None)
    {
        // Beside its work trees, a rig's repository is what is on its target branch.
        if in_no_tree
            && let Some(name) = place.rig.as_deref().and_then(|rig| RigName::new(rig).ok())
            && let Ok(rig) = town.rig(&name, &Overrides::default())
        {
            let kept = rig.kept_formulas(library.limits().file_bytes);
            library.add_repository(kept);
        }
        let rig = place.rig.as_ref().map(|rig| root.join(rig).join("lua"));
        // Reading a policy takes a VM, which a formula that is a file is not worth.
        library.later(move |library| {
            for patrol in crate::town::roles::lua_patrols(&town, rig.as_deref()) {
                patrol.shelve(library);
            }
        });
    }
    library
}

/// The bounds, as the settings of the tracker have them: `bd config set formula.max_steps 100`.
fn limits(cx: &Context) -> Limits {
    if !cx.place().beads_dir.join("beads.db").is_file() {
        return Limits::default();
    }
    // A store that cannot be read is told by whatever the command itself asks of it.
    let settings = cx.read(|r| Ok(r.settings()?)).unwrap_or_default();
    Limits::of(settings.iter().map(|(key, value)| (key.as_str(), value.as_str())))
}

/// What Lua says of a formula here: its aspects, and what the roles of the town can do.
pub(in super::super) struct Around {
    aspects: LuaAspects,
    root: Option<PathBuf>,
    rig_lua: Option<PathBuf>,
}

impl Around {
    pub(in super::super) fn new(cx: &Context) -> Self {
        let place = cx.place();
        let rig_lua = place.town.as_ref().zip(place.rig.as_ref()).map(|(town, rig)| town.join(rig).join("lua"));
        Self { aspects: LuaAspects::default(), root: place.town.clone(), rig_lua }
    }
}

impl Aspects for Around {
    fn advise(&self, aspect: &AspectFile, steps: &[StepView]) -> Result<Vec<Advice>, Report> {
        self.aspects.advise(aspect, steps)
    }

    fn functions(&self, role: &str) -> Functions {
        // Without a town nobody runs a patrol, and which roles there are is not known.
        let town = self.root.as_ref().and_then(|root| Town::find(root, None).ok());
        town.map_or(Functions::Unknown, |town| functions(&town, self.rig_lua.as_deref(), role))
    }
}

/// A formula as it was named: a path counts from where the command works.
pub(in super::super) fn path(cx: &Context, name: &str) -> String {
    formula_error::path(&cx.env.cwd, name)
}

/// Cooks, prints warnings, tells errors.
pub(in super::super) fn cooked(
    cx: &Context,
    library: &Library,
    name: &str,
    vars: &Vars,
    mode: Mode,
) -> Result<Cooked, CliError> {
    let cooked = compile(library, name, Options { vars, mode, aspects: &Around::new(cx) })
        .map_err(|report| wrong(cx, name, &report))?;
    warn(cx, &cooked.warnings);
    Ok(cooked)
}

/// As [`cooked`], of which only the protomolecule is wanted: half the memory, where it has a million steps.
pub(in super::super) fn cooked_proto(
    cx: &Context,
    library: &Library,
    name: &str,
    vars: &Vars,
    mode: Mode,
) -> Result<Proto, CliError> {
    let options = Options { vars, mode, aspects: &Around::new(cx) };
    let (proto, warnings) = compile_proto(library, name, options).map_err(|report| wrong(cx, name, &report))?;
    warn(cx, &warnings);
    Ok(proto)
}

fn warn(cx: &Context, warnings: &Report) {
    if !warnings.findings.is_empty() && !cx.out.quiet && !cx.out.json {
        output::message(&warnings.render(false));
    }
}

/// The proto that `name` means: one that is kept (`proto-…`), or a formula, cooked to be poured with these values.
pub(in super::super) fn proto(cx: &Context, name: &str, vars: &Vars) -> Result<Proto, CliError> {
    proto_for(cx, name, vars, Mode::Pour)
}

/// The protomolecule that a template bead of this name was written for.
fn kept_as(cx: &Context, name: &str) -> Result<Option<Proto>, CliError> {
    if !cx.place().beads_dir.join("beads.db").is_file() {
        return Ok(None);
    }
    cx.read(|r| {
        let Some(bead) = r.resolve(name).ok().map(|id| r.bead(&id)).transpose()?.flatten() else { return Ok(None) };
        match bead.meta_str("proto").filter(|_| bead.is_template) {
            Some(id) => Ok(molecule::thaw(r, id)?),
            None => Ok(None),
        }
    })
}

/// As [`proto`], in another mode.
pub(in super::super) fn proto_for(cx: &Context, name: &str, vars: &Vars, mode: Mode) -> Result<Proto, CliError> {
    if name.starts_with("proto-")
        && let Some(proto) = cx.read(|r| molecule::thaw(r, name).map_err(CliError::from))?
    {
        return Ok(proto);
    }
    let options = Options { vars, mode, aspects: &Around::new(cx) };
    let cooked = compile_proto(&library(cx, &[]), &path(cx, name), options);
    if let Err(report) = &cooked
        && formula_error::placeless(report).is_some()
        && let Some(proto) = kept_as(cx, name)?
    {
        return Ok(proto);
    }
    let (proto, warnings) = cooked.map_err(|report| match formula_error::placeless(&report) {
        Some(_) if name.starts_with("proto-") => CliError::not_found(format!("no protomolecule `{name}` is kept here"))
            .hint(
                "cook its formula again with `bd cook`: protomolecules are in no ledger, and a restored one has none",
            ),
        _ => wrong(cx, name, &report),
    })?;
    warn(cx, &warnings);
    Ok(proto)
}

/// The error for a formula that cannot be cooked: the findings with their excerpts, then one line.
pub(in super::super) fn wrong(cx: &Context, name: &str, report: &Report) -> CliError {
    formula_error::wrong(cx.out, name, "cannot be cooked", report)
}
