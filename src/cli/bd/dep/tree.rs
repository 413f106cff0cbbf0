//! `bd dep tree`.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::fmt::Write as _;

use super::Direction;
use crate::base::{BeadId, text};
use crate::cli::CliError;
use crate::cli::bd::{Context, render};
use crate::store::{Bead, Read};

/// Shows the tree of what a bead depends on, or of what depends on it.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The bead.
    id: String,
    /// down: what it depends on; up: what depends on it.
    #[arg(long, value_enum, default_value_t = Direction::Down)]
    direction: Direction,
    /// At most so deep.
    #[arg(short = 'd', long, default_value_t = 50)]
    max_depth: usize,
    /// A bead that is reached in several ways shows each time.
    #[arg(long)]
    show_all_paths: bool,
    /// text or mermaid.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Text,
    Mermaid,
}

/// One line of the tree.
struct Node {
    bead: Bead,
    depth: usize,
    /// The index of the node above.
    above: Option<usize>,
    truncated: bool,
}

/// Runs the verb.
pub(super) fn run(cx: &Context, args: Args) -> Result<(), CliError> {
    cx.read(|r| {
        let top = r.need(&r.resolve(&args.id)?)?;
        let nodes = grow(r, top, &args)?;
        if cx.out.json {
            let rows: Vec<_> = nodes
                .iter()
                .map(|node| {
                    let mut row = render::object(&node.bead);
                    row.insert("depth".to_owned(), node.depth.into());
                    let above = node.above.map_or(String::new(), |i| nodes[i].bead.id.to_string());
                    row.insert("parent_id".to_owned(), above.into());
                    row.insert("truncated".to_owned(), node.truncated.into());
                    row
                })
                .collect();
            cx.out.print(&rows, |_| String::new());
        } else if args.format == Format::Mermaid {
            crate::cli::output::line(mermaid(&nodes).trim_end());
        } else {
            crate::cli::output::line(drawn(&nodes).trim_end());
        }
        Ok(())
    })
}

/// The nodes breadth first: by depth, priority and id below each other.
fn grow(r: &Read<'_>, top: Bead, args: &Args) -> Result<Vec<Node>, CliError> {
    let mut seen: HashSet<BeadId> = [top.id.clone()].into();
    let mut nodes = vec![Node { bead: top, depth: 0, above: None, truncated: false }];
    let mut queue = VecDeque::from([0_usize]);
    while let Some(at) = queue.pop_front() {
        let (id, depth) = (nodes[at].bead.id.clone(), nodes[at].depth);
        let mut next: Vec<Bead> = Vec::new();
        let mut ids: Vec<BeadId> = Vec::new();
        if args.direction != Direction::Up {
            ids.extend(r.deps(&id)?.into_iter().map(|dep| dep.depends_on_id));
        }
        if args.direction != Direction::Down {
            ids.extend(r.dependents(&id)?.into_iter().map(|dep| dep.issue_id));
        }
        ids.sort();
        ids.dedup();
        for id in ids {
            if !above(&nodes, at, &id) && (args.show_all_paths || !seen.contains(&id)) {
                next.extend(r.bead(&id)?);
            }
        }
        if !next.is_empty() && depth >= args.max_depth {
            nodes[at].truncated = true;
            continue;
        }
        next.sort_by(|a, b| (a.priority, &a.id).cmp(&(b.priority, &b.id)));
        for bead in next {
            seen.insert(bead.id.clone());
            nodes.push(Node { bead, depth: depth + 1, above: Some(at), truncated: false });
            queue.push_back(nodes.len() - 1);
        }
    }
    Ok(nodes)
}

/// Whether `id` is `at` or stands above it: following it again would never end.
fn above(nodes: &[Node], at: usize, id: &BeadId) -> bool {
    let mut next = Some(at);
    while let Some(i) = next {
        if nodes[i].bead.id == *id {
            return true;
        }
        next = nodes[i].above;
    }
    false
}

fn drawn(nodes: &[Node]) -> String {
    let mut below: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (i, node) in nodes.iter().enumerate() {
        if let Some(above) = node.above {
            below.entry(above).or_default().push(i);
        }
    }
    let mut out = String::new();
    let mut work = vec![0_usize];
    while let Some(i) = work.pop() {
        let node = &nodes[i];
        let more = if node.truncated { "  …" } else { "" };
        let _ = writeln!(out, "{}{}  [{}]{more}", "  ".repeat(node.depth), render::line(&node.bead), node.bead.status);
        work.extend(below.get(&i).into_iter().flatten().rev());
    }
    out
}

fn mermaid(nodes: &[Node]) -> String {
    let name = |id: &BeadId| id.as_str().replace(['.', '-'], "_");
    let mut out = "flowchart TD\n".to_owned();
    let mut written = HashSet::new();
    for node in nodes {
        if written.insert(&node.bead.id) {
            let title = text::headline(&node.bead.title, 60).replace('"', "'");
            let _ = writeln!(out, "  {}[\"{}: {title}\"]", name(&node.bead.id), node.bead.id);
        }
    }
    for node in nodes {
        if let Some(above) = node.above {
            let _ = writeln!(out, "  {} --> {}", name(&nodes[above].bead.id), name(&node.bead.id));
        }
    }
    out
}
