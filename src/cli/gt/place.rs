//! The town that a command works in, who runs it, and what it knows of the machine.

use std::path::PathBuf;

use super::Context;
use crate::base::{Address, BeadId, RigName, SystemClock, text};
use crate::cli::CliError;
use crate::config::{HostChoice, Layer, Overrides};
use crate::store::{IssueType, Read, Store, StoreError};
use crate::town::{Acting, Surroundings, Town, TownError, agent, convoy, identity};

static CLOCK: SystemClock = SystemClock;

/// Where a command works, and as whom.
#[derive(Debug)]
pub struct Place {
    /// The town.
    pub town: Town,
    /// Who runs the command.
    pub me: Address,
    /// The name that the ledger shows.
    actor: String,
    around: Surroundings,
}

impl Place {
    /// What the verbs of the town are told.
    pub fn acting(&self) -> Acting<'_> {
        Acting { town: &self.town, by: &self.actor, clock: &CLOCK, around: &self.around }
    }

    /// The machine.
    pub fn around(&self) -> &Surroundings {
        &self.around
    }
}

impl Context {
    /// The town around the working directory, or the one that `GT_TOWN` names.
    pub(crate) fn place(&self) -> Result<Place, CliError> {
        let town = Town::find(&self.env.cwd, self.env.town.as_deref())?;
        let me = identity::whoami(&town, &self.env.cwd, self.env.role.as_deref())?;
        let actor = self.env.actor.clone().unwrap_or_else(|| me.to_string());
        Ok(Place { town, me, actor, around: self.surroundings()? })
    }

    /// The town and its store.
    pub(crate) fn open(&self) -> Result<(Place, Store), CliError> {
        let place = self.place()?;
        let store = Store::open(&place.town.beads_dir()).map_err(TownError::from)?;
        Ok((place, store))
    }

    /// What this process knows of the machine.
    pub(crate) fn surroundings(&self) -> Result<Surroundings, CliError> {
        Ok(Surroundings { gt: gt_program()?, path: self.env.path.clone(), env: self.env.all.clone() })
    }

    /// What flags and environment say about runtime, host and formula.
    pub(super) fn overrides(
        &self,
        runtime: Option<&str>,
        host: Option<HostChoice>,
        formula: Option<&str>,
    ) -> Overrides {
        let from_env = |name: &str| self.env.all.get(name).filter(|v| !v.is_empty()).cloned();
        let layered = |flag: Option<&str>, name: &str| {
            flag.map(|v| (Layer::Flag, v.to_owned())).or_else(|| from_env(name).map(|v| (Layer::Environment, v)))
        };
        Overrides {
            runtime: layered(runtime, "GT_RUNTIME"),
            host: host.map(|h| (Layer::Flag, h)),
            formula: layered(formula, "GT_FORMULA"),
        }
    }
}

/// The `gt` program: this one, or the one beside it when this is `bd`.
pub(crate) fn gt_program() -> Result<PathBuf, CliError> {
    let own = std::env::current_exe().map_err(|e| CliError::user(format!("this program cannot be located: {e}")))?;
    if own.file_name().is_some_and(|name| name == "bd") {
        return Ok(own.with_file_name("gt"));
    }
    Ok(own)
}

/// The bead that a person means by `text`: an id, or the part of one that only it has.
pub(super) fn bead(r: &Read<'_>, text: &str) -> Result<BeadId, TownError> {
    Ok(r.resolve(text)?)
}

/// The convoy that a person means by `text`: its id, a part of it, or its whole title.
pub(super) fn convoy(r: &Read<'_>, text: &str) -> Result<BeadId, TownError> {
    let by_id = r.resolve(text);
    if let Ok(id) = &by_id
        && r.need(id)?.issue_type == IssueType::CONVOY
    {
        return by_id.map_err(Into::into);
    }
    let titled = convoy::titled(r, text)?;
    match (titled.as_slice(), by_id) {
        ([only], _) => Ok(only.clone()),
        ([], Ok(id)) => Ok(id),
        ([], Err(error @ StoreError::Ambiguous { .. })) => Err(error.into()),
        ([], Err(error)) if error.is_fault() => Err(error.into()),
        ([], Err(_)) => {
            Err(TownError::not_found(format!("there is no convoy `{text}`")).hint("see them: gt convoy list --all"))
        }
        (many, _) => {
            let ids: Vec<&str> = many.iter().take(5).map(BeadId::as_str).collect();
            let more = if many.len() > ids.len() { ", …" } else { "" };
            let count = text::count(many.len(), "convoy");
            Err(TownError::user(format!("{count} are called `{text}`: {}{more}", ids.join(", ")))
                .hint("name one by its id; see them: gt convoy list --all"))
        }
    }
}

/// The agent that a person means by `text`.
pub(super) fn agent(r: &Read<'_>, text: &str) -> Result<Address, TownError> {
    let known: Vec<Address> = agent::all(r)?.into_iter().map(|row| row.address).collect();
    identity::resolve(text, &known)
}

/// The rig that is named, or the one around the working directory, or the only one.
pub(super) fn rig(place: &Place, cx: &Context, named: Option<&str>) -> Result<RigName, CliError> {
    if let Some(name) = named {
        let name = RigName::new(name)?;
        place.town.need_rig(&name)?;
        return Ok(name);
    }
    if let Some(name) = identity::rig_of_folder(&place.town, &cx.env.cwd) {
        return Ok(name);
    }
    let all = place.town.rig_names()?;
    match all.as_slice() {
        [only] => Ok(only.clone()),
        [] => Err(CliError::not_found("the town has no rig").hint("add one: gt rig add NAME URL-OR-PATH")),
        many => Err(CliError::user(format!("which rig? there are {}", text::count(many.len(), "rig")))
            .hint(format!("name one: {}", many.iter().map(RigName::as_str).collect::<Vec<_>>().join(", ")))),
    }
}
