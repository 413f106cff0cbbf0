//! The end of a worker's screen, kept when its session is taken down: what it did can be looked at after it has landed.

use std::path::PathBuf;

use super::agent::{AgentRow, HostKind};
use super::around::Acting;
use super::error::TownError;
use super::hosts;
use super::layout::Town;
use crate::base::{BeadId, atomic, text};

/// So many lines of a screen are kept.
const LINES: usize = 2000;
/// And of those so many bytes, the last ones.
const BYTES: usize = 64 << 10;
/// So many screens are kept in a town, those of the beads that were taken down last.
const SCREENS: usize = 500;

/// Where the last screen of whoever worked on a bead is kept.
pub fn path(town: &Town, bead: &BeadId) -> PathBuf {
    folder(town).join(format!("{bead}.txt"))
}

fn folder(town: &Town) -> PathBuf {
    town.logs_dir().join("last")
}

/// The last screen of whoever worked on a bead last; none when nothing was kept.
pub fn read(town: &Town, bead: &BeadId) -> Option<String> {
    std::fs::read(path(town, bead)).ok().map(|text| String::from_utf8_lossy(&text).into_owned())
}

/// Keeps what is on an agent's screen now. A screen that cannot be read or kept is no reason to keep a session. Gives
/// the last line of it, if there is one; an error when its host does not answer.
pub fn keep(cx: &Acting<'_>, row: &AgentRow) -> Result<Option<String>, TownError> {
    let Some(bead) = &row.bead else { return Ok(None) };
    let screen = hosts::open(cx, row.host).and_then(|host| Ok(host.screen(&row.session, LINES)?));
    let screen = screen.inspect_err(|error| {
        tracing::warn!(agent = %row.address, %error, "its last screen cannot be read");
    })?;
    if !screen.trim().is_empty()
        && let Err(error) = write(cx.town, bead, &screen)
    {
        tracing::warn!(agent = %row.address, %error, "its last screen is not kept");
    }
    Ok(last_line(&screen))
}

/// The last line of a screen that says something.
pub fn last_line(screen: &str) -> Option<String> {
    text::last_lines(screen, 1).pop()
}

/// Keeps what is on the screens of all these agents, whose hosts are about to end. A host that does not answer is not
/// waited for once more.
pub(super) fn keep_all(cx: &Acting<'_>, rows: &[AgentRow]) {
    for kind in [HostKind::Tmux, HostKind::Headless] {
        let _ = rows.iter().filter(|row| row.host == kind).all(|row| keep(cx, row).is_ok());
    }
}

fn write(town: &Town, bead: &BeadId, screen: &str) -> Result<(), TownError> {
    let path = path(town, bead);
    let folder = folder(town);
    std::fs::create_dir_all(&folder).map_err(|e| TownError::io("make", &folder, e))?;
    let from = screen.len().saturating_sub(BYTES);
    let from = (from..=screen.len()).find(|at| screen.is_char_boundary(*at)).unwrap_or(0);
    atomic::write(&path, &screen.as_bytes()[from..]).map_err(|e| TownError::io("write", &path, e))?;
    let listed = std::fs::read_dir(&folder).map_err(|e| TownError::io("list", &folder, e))?;
    let mut all: Vec<_> =
        listed.flatten().filter_map(|e| Some((e.metadata().ok()?.modified().ok()?, e.path()))).collect();
    all.sort();
    for (_, old) in all.iter().take(all.len().saturating_sub(SCREENS)) {
        std::fs::remove_file(old).map_err(|e| TownError::io("remove", old, e))?;
    }
    Ok(())
}
