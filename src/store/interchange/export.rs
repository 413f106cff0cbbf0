//! Writing `issues.jsonl`.

use std::collections::{HashMap, HashSet};

use super::line::{format_line, parse_line};
use super::members::rejoin;
use crate::base::BeadId;
use crate::store::order::{self, Said};
use crate::store::read::SEEN;
use crate::store::row::{self, COLUMNS, Stored};
use crate::store::{Bead, Comment, Dep, Read, StoreError};

/// A wisp that came in a file stays in the file: what is read is written back.
const LASTING: &str = "(b.ephemeral = 0 OR EXISTS (SELECT 1 FROM source_lines s WHERE s.bead = b.num))";

impl Read<'_> {
    /// All beads but wisps made here, deleted ones too, by id, with labels, dependencies (but those on such wisps) and
    /// comments filled in.
    pub fn all_whole(&self) -> Result<Vec<Bead>, StoreError> {
        let mut deps: HashMap<String, Vec<Dep>> = HashMap::new();
        let sql = format!("SELECT b.id FROM beads b WHERE b.ephemeral = 1 AND NOT {LASTING}");
        let wisps: HashSet<String> = self.rows(&sql, [], |r| Ok(r.get(0)?))?.into_iter().collect();
        for dep in self.all_deps()?.into_iter().filter(|dep| !wisps.contains(dep.depends_on_id.as_str())) {
            deps.entry(dep.issue_id.to_string()).or_default().push(dep);
        }
        let mut comments = self.all_comments()?;
        let sql = format!("SELECT {COLUMNS} FROM beads b WHERE {LASTING} AND {SEEN} ORDER BY b.id");
        self.rows(&sql, [], Stored::read).map(|all| {
            all.into_iter()
                .map(|stored| {
                    let mut bead = stored.bead;
                    bead.dependencies = deps.remove(bead.id.as_str()).unwrap_or_default();
                    bead.comments = comments.remove(bead.id.as_str()).unwrap_or_default();
                    bead
                })
                .collect()
        })
    }

    fn all_comments(&self) -> Result<HashMap<String, Vec<Comment>>, StoreError> {
        let rows = self.rows(
            "SELECT b.id, c.id, c.author, c.text, c.created_at, c.other, c.num, c.uid
             FROM comments c JOIN beads b ON b.num = c.bead WHERE c.live = 1",
            [],
            |r| {
                let comment = Comment {
                    id: r.get(1)?,
                    issue_id: row::id(&r.get::<_, String>(0)?)?,
                    author: r.get(2)?,
                    text: r.get(3)?,
                    created_at: row::parse_time(&r.get::<_, String>(4)?)?,
                    extra: row::unpacked(&r.get::<_, String>(5)?)?,
                };
                Ok(Said { row: r.get(6)?, uid: r.get(7)?, comment })
            },
        )?;
        let mut all: HashMap<String, Vec<Said>> = HashMap::new();
        for said in rows {
            all.entry(said.comment.issue_id.to_string()).or_default().push(said);
        }
        let listed = |all| order::list(all).into_iter().map(|said| said.comment).collect();
        Ok(all.into_iter().map(|(id, all)| (id, listed(all))).collect())
    }

    /// The bytes of `issues.jsonl`: a line for each bead but wisps made here, by id, then imported lines that are no beads.
    pub fn export(&self) -> Result<Vec<u8>, StoreError> {
        let sources: HashMap<String, Vec<u8>> = self
            .rows("SELECT b.id, s.line FROM source_lines s JOIN beads b ON b.num = s.bead", [], |r| {
                let line = r.get_ref(1)?.as_bytes().map_err(rusqlite::Error::from)?.to_vec();
                Ok((r.get(0)?, line))
            })?
            .into_iter()
            .collect();
        let prefix = self.prefix()?;
        let mut out = Vec::new();
        let beads = self.all_whole()?;
        let ids: HashSet<BeadId> =
            if sources.is_empty() { HashSet::new() } else { beads.iter().map(|bead| bead.id.clone()).collect() };
        for bead in beads {
            let line = format_line(&bead);
            // A line we would write otherwise stands as it came while it still says the same.
            let source = sources.get(bead.id.as_str()).filter(|source| {
                let text = String::from_utf8_lossy(source);
                let parsed = parse_line(text.trim_end_matches('\r'), prefix.as_str());
                parsed.is_ok_and(|mut parsed| {
                    let there = |id: &BeadId| Ok::<_, StoreError>(ids.contains(id));
                    let _ = rejoin(&mut parsed.bead, &mut parsed.guesses, prefix.as_str(), there);
                    format_line(&order::listed(&parsed.bead)) == line
                })
            });
            out.extend_from_slice(source.map_or(line.as_bytes(), Vec::as_slice));
            out.push(b'\n');
        }
        for line in self.foreign_lines()? {
            out.extend_from_slice(line.as_bytes());
            out.push(b'\n');
        }
        Ok(out)
    }
}
