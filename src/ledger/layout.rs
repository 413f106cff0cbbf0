//! Where a bead is in the ledger: its branch, its file, and what its commit says.

use sha2::Digest;

use crate::base::BeadId;
use crate::git::Ident;
use crate::store::OutboxRow;

/// Trailer that names the bead of a commit.
pub(super) const BEAD: &str = "Gt-Bead";
/// Trailer that names the outbox row of a commit, as `<replica>/<seq>`: by it a repetition is known.
pub(super) const OUTBOX: &str = "Gt-Outbox";

/// Folder of the ledger beside the store.
pub(super) const FOLDER: &str = "ledger.git";

/// Held by whoever writes the ledger.
pub(super) const LOCK: &str = "ledger.lock";

/// The folder of the branches.
pub(super) const BRANCHES: &str = "refs/heads/beads";

/// The branch of the beads with this prefix.
pub(super) fn branch(prefix: &str) -> String {
    // The one ending that git does not allow in the name of a ref.
    let end = if prefix.strip_suffix(".lock").is_some() { "-" } else { "" };
    format!("{BRANCHES}/{prefix}{end}")
}

/// The two folders and the name of a bead's file: `3f/a0/gt-a1.json`.
///
/// The folders are the first two bytes of the SHA-256 of the id, so that no folder gets long.
pub(super) fn path(id: &BeadId) -> (String, String, String) {
    let hash = sha2::Sha256::digest(id.as_str().as_bytes());
    (format!("{:02x}", hash[0]), format!("{:02x}", hash[1]), format!("{id}.json"))
}

/// The commit message of a transition.
pub(super) fn message(row: &OutboxRow, replica: &str) -> String {
    let summary = row.summary.replace(['\n', '\r', '\0'], " ");
    format!("{}\n\n{BEAD}: {}\n{OUTBOX}: {replica}/{}\n", summary.trim(), row.bead, row.seq)
}

/// The author of a transition.
pub(super) fn author(row: &OutboxRow) -> Ident {
    Ident::agent(&row.actor)
}
