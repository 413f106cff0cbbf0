//! `bd create --file` and `--stdin`: many beads, all or none.

use std::collections::{BTreeSet, HashMap};

use super::draft::{Draft, Problem};
use super::{Args, Context, adopt, arg, check_id, edge, kinds, read, render, words};
use crate::base::{BeadId, text};
use crate::cli::CliError;
use crate::store::{Bead, DepKind, NewBead, NewDep, Read};

/// More beads than this are staged in several short transactions, so that no other writer waits for them.
const LARGE: usize = 200;
/// So many are staged in one transaction.
const CHUNK: usize = 100;
/// What its batches are called, one of [`crate::store::KINDS`].
const BATCH: &str = "create";
/// So many problems are told at most.
const TOLD: usize = 20;

/// Files what the file or stdin holds.
pub(super) fn run(cx: &Context, args: &Args) -> Result<(), CliError> {
    let (name, drafts) = if let Some(path) = &args.file {
        let stdin = path.as_os_str() == "-";
        let path = if stdin { path.clone() } else { cx.env.path(path) };
        let name = if stdin { "stdin".to_owned() } else { path.display().to_string() };
        (name, read::markdown(&arg::file_or_stdin(&path)?, cx.now()))
    } else {
        ("stdin".to_owned(), read::lines(&arg::stdin()?, cx.now()))
    };
    let drafts = drafts.map_err(|problems| told(&name, problems))?;
    let drafts = with_flags(cx, args, drafts)?;
    let plan = cx.read(|r| Plan::make(cx, r, args, drafts).map_err(|problems| told(&name, problems)))?;
    let beads = if plan.drafts.len() > LARGE && !args.dry_run {
        plan.stage(cx).map_err(|problem| problem.told(&name))?
    } else {
        plan.file(cx, args.dry_run).map_err(|problem| problem.told(&name))?
    };
    let id_only = args.silent || cx.out.quiet;
    cx.out.print(&beads, |beads| match (id_only, args.dry_run) {
        (true, _) => beads.iter().map(|bead| bead.id.to_string()).collect::<Vec<_>>().join("\n"),
        (_, dry) => {
            let mark = if dry { "would file " } else { "✓" };
            beads.iter().map(|bead| format!("{mark} {}", render::line(bead))).collect::<Vec<_>>().join("\n")
        }
    });
    Ok(())
}

/// The problems of a file as one error.
fn told(name: &str, mut problems: Vec<Problem>) -> CliError {
    problems.sort_by_key(|problem| problem.line);
    let more = problems.len().saturating_sub(TOLD);
    let mut error = CliError::user(format!("{name}: {}; nothing was filed", text::count(problems.len(), "problem")));
    error.causes = problems.into_iter().take(TOLD).map(|p| format!("line {}: {}", p.line, p.reason)).collect();
    if more > 0 {
        error.causes.push(format!("and {more} more"));
    }
    error
}

/// What the flags say for all beads that do not say it themselves.
fn with_flags(cx: &Context, args: &Args, mut drafts: Vec<Draft>) -> Result<Vec<Draft>, CliError> {
    let prefix = super::prefix(cx, args)?;
    for draft in &mut drafts {
        let new = &mut draft.new;
        new.priority = new.priority.or(args.priority);
        new.issue_type = new.issue_type.take().or_else(|| args.issue_type.clone());
        if new.assignee.is_empty() {
            new.assignee = args.assignee.clone().unwrap_or_default();
        }
        new.labels.extend(args.labels.iter().map(|label| label.trim().to_owned()).filter(|label| !label.is_empty()));
        new.ephemeral |= args.ephemeral;
        draft.parent = draft.parent.take().or_else(|| args.parent.clone());
        if draft.parent.is_none() && new.id.is_none() {
            new.prefix.clone_from(&prefix);
        }
        draft.deps.extend(args.deps.iter().map(|dep| (draft.line, dep.clone())));
    }
    Ok(drafts)
}

/// A bead that an edge leads to: one that is there, or one of the same file.
#[derive(Debug, Clone)]
enum End {
    There(BeadId),
    Here(usize),
}

/// A file whose references are resolved, in an order in which each bead comes after those it refers to.
struct Plan {
    drafts: Vec<Draft>,
    parents: Vec<Option<End>>,
    edges: Vec<Vec<(DepKind, End)>>,
    order: Vec<usize>,
}

/// What went wrong, and at which draft.
struct Failed {
    line: usize,
    error: CliError,
}

impl Failed {
    fn told(self, name: &str) -> CliError {
        let mut error = self.error;
        error.message = format!("{name}, line {}: {}; nothing was filed", self.line, error.message);
        error
    }
}

impl From<crate::store::StoreError> for Failed {
    fn from(error: crate::store::StoreError) -> Self {
        Self { line: 0, error: error.into() }
    }
}

impl Plan {
    fn make(cx: &Context, r: &Read<'_>, args: &Args, drafts: Vec<Draft>) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut titles: HashMap<String, usize> = HashMap::new();
        let mut ids: HashMap<&str, usize> = HashMap::new();
        for (n, draft) in drafts.iter().enumerate() {
            if let Err(error) = words::check(r, draft.new.status.as_ref(), draft.new.issue_type.as_ref()) {
                let hint = error.hints.first().map_or(String::new(), |hint| format!(" ({hint})"));
                problems.push(Problem::new(draft.line, format!("{}{hint}", error.message)));
            }
            if args.kinds.validate {
                let lacks = kinds::missing(&draft.new);
                problems.extend(lacks.iter().map(|heading| Problem::new(draft.line, format!("it lacks `{heading}`"))));
            }
            titles.entry(draft.new.title.to_lowercase()).or_insert(n);
            if let Some(id) = &draft.new.id {
                if ids.insert(id.as_str(), n).is_some() {
                    problems.push(Problem::new(draft.line, format!("the id `{id}` is given twice")));
                }
                if let Err(error) = check_id(cx, r, id, args.force) {
                    problems.push(Problem::new(draft.line, error.message));
                }
            }
        }
        let end = |line: usize, text: &str| {
            let here = ids.get(text).or_else(|| titles.get(&text.to_lowercase()));
            match here {
                Some(n) => Ok(End::Here(*n)),
                None => r.resolve(text).map(End::There).map_err(|error| {
                    let hint = CliError::from(error);
                    let more = hint.hints.first().map_or(String::new(), |hint| format!(" ({hint})"));
                    Problem::new(line, format!("{}, and no bead of this file has that title{more}", hint.message))
                }),
            }
        };
        let (mut parents, mut edges) = (Vec::new(), Vec::new());
        for draft in &drafts {
            parents.push(
                draft
                    .parent
                    .as_ref()
                    .and_then(|text| end(draft.line, text).map_err(|problem| problems.push(problem)).ok()),
            );
            let mut mine = Vec::new();
            for (line, text) in &draft.deps {
                // A whole title goes before a type: titles may have colons.
                let (kind, text) = if titles.contains_key(&text.to_lowercase()) {
                    (DepKind::BLOCKS, text.as_str())
                } else {
                    match edge(text) {
                        Ok(edge) => edge,
                        Err(error) => {
                            problems.push(Problem::new(*line, error.message));
                            continue;
                        }
                    }
                };
                match end(*line, text) {
                    Ok(end) => mine.push((kind, end)),
                    Err(problem) => problems.push(problem),
                }
            }
            edges.push(mine);
        }
        drop(ids);
        let order = match order(&parents, &edges) {
            Ok(order) => order,
            Err(circle) => {
                let names = circle.iter().map(|n| format!("`{}`", text::headline(&drafts[*n].new.title, 40)));
                let names = names.collect::<Vec<_>>().join(", ");
                let line = circle.first().map_or(1, |n| drafts[*n].line);
                problems.push(Problem::new(line, format!("these depend on each other in a circle: {names}")));
                Vec::new()
            }
        };
        if problems.is_empty() { Ok(Self { drafts, parents, edges, order }) } else { Err(problems) }
    }

    /// A draft as the store takes it; what it refers to has its id already.
    fn bead(&self, n: usize, made: &HashMap<usize, BeadId>) -> NewBead {
        let id = |end: &End| match end {
            End::There(id) => Some(id.clone()),
            End::Here(n) => made.get(n).cloned(),
        };
        NewBead {
            parent: self.parents[n].as_ref().and_then(id),
            deps: self.edges[n].iter().filter_map(|(kind, end)| Some(NewDep::new(kind.clone(), id(end)?))).collect(),
            ..self.drafts[n].new.clone()
        }
    }

    /// Files all in one transaction.
    fn file(&self, cx: &Context, rehearse: bool) -> Result<Vec<Bead>, Failed> {
        let mut line = 0;
        let made = cx.write_or_rehearse(rehearse, |w| {
            let mut made: HashMap<usize, BeadId> = HashMap::new();
            for n in &self.order {
                line = self.drafts[*n].line;
                let new = self.bead(*n, &made);
                let bead = w.create(new.clone())?;
                adopt(cx, w, &bead.id, &new.deps)?;
                made.insert(*n, bead.id);
            }
            self.all(w, &made)
        });
        made.map_err(|error| Failed { line, error })
    }

    /// Files a long list in short transactions that nobody sees before the last one.
    fn stage(&self, cx: &Context) -> Result<Vec<Bead>, Failed> {
        let by = cx.stamp();
        let mut line = 0;
        let made = cx.change_store(|store| {
            // A group holds the store: it waits for nobody who may wait for that.
            let _staging = if store.in_group() { None } else { Some(store.staging(BATCH)?) };
            let batch = store.write::<_, CliError>(&by, |w| Ok(w.new_batch(BATCH)?))?;
            let mut made: HashMap<usize, BeadId> = HashMap::new();
            let filed = self.order.chunks(CHUNK).try_for_each(|chunk| {
                store.write::<_, CliError>(&by, |w| {
                    for n in chunk {
                        line = self.drafts[*n].line;
                        made.extend(w.stage(batch, vec![self.bead(*n, &made)])?.into_iter().map(|id| (*n, id)));
                    }
                    Ok(())
                })
            });
            let filed = filed.and_then(|()| {
                store.write::<_, CliError>(&by, |w| {
                    w.publish(batch)?;
                    for (n, id) in &made {
                        let new = self.bead(*n, &made);
                        adopt(cx, w, id, &new.deps)?;
                    }
                    Ok(())
                })
            });
            if let Err(error) = filed {
                // What was staged is invisible either way; the first error is the one to tell.
                let _ = store.write::<_, CliError>(&by, |w| Ok(w.discard(batch)?));
                return Err(error);
            }
            while store.write::<_, CliError>(&by, |w| Ok(w.settle_batch(batch, 4 * CHUNK)?))? {}
            store.read(|r| self.all(r, &made))
        });
        made.map_err(|error| Failed { line, error })
    }

    /// What was filed, in the order of the file.
    fn all(&self, r: &Read<'_>, made: &HashMap<usize, BeadId>) -> Result<Vec<Bead>, CliError> {
        (0..self.drafts.len()).filter_map(|n| made.get(&n)).map(|id| Ok(r.need(id)?)).collect()
    }
}

/// The order in which to file, the order of the file where nothing speaks against it; or a circle.
fn order(parents: &[Option<End>], edges: &[Vec<(DepKind, End)>]) -> Result<Vec<usize>, Vec<usize>> {
    let ends = parents.iter().zip(edges).map(|(parent, edges)| {
        let all = parent.iter().chain(edges.iter().map(|(_, end)| end));
        all.filter_map(|end| if let End::Here(n) = end { Some(*n) } else { None }).collect::<BTreeSet<usize>>()
    });
    let before: Vec<BTreeSet<usize>> = ends.collect();
    let mut after: Vec<Vec<usize>> = vec![Vec::new(); before.len()];
    for (n, needs) in before.iter().enumerate() {
        for need in needs {
            after[*need].push(n);
        }
    }
    let mut left: Vec<usize> = before.iter().map(BTreeSet::len).collect();
    let mut free: BTreeSet<usize> = (0..left.len()).filter(|n| left[*n] == 0).collect();
    let mut order = Vec::new();
    while let Some(n) = free.pop_first() {
        order.push(n);
        for next in &after[n] {
            left[*next] -= 1;
            if left[*next] == 0 {
                free.insert(*next);
            }
        }
    }
    if order.len() == left.len() {
        return Ok(order);
    }
    // Going from need to need among those left over must come back to where it was.
    let mut path: Vec<usize> = Vec::new();
    let mut at = (0..left.len()).find(|n| left[*n] > 0).unwrap_or(0);
    while !path.contains(&at) {
        path.push(at);
        at = before[at].iter().copied().find(|n| left[*n] > 0).unwrap_or(at);
    }
    Err(path.split_off(path.iter().position(|n| *n == at).unwrap_or(0)))
}
