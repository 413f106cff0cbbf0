//! The versions of the format, and how a file gets from one to the next. Migrations are append-only.

use rusqlite::Connection;

/// The scripts in order; the file's `user_version` says how many it has had.
const MIGRATIONS: &[&str] = &[
    include_str!("migrations/0001_beads.sql"),
    include_str!("migrations/0002_gates.sql"),
    include_str!("migrations/0003_protos.sql"),
    include_str!("migrations/0004_packs.sql"),
    include_str!("migrations/0005_more.sql"),
    include_str!("migrations/0006_counts.sql"),
    include_str!("migrations/0007_removed.sql"),
    include_str!("migrations/0008_removed_text.sql"),
];

/// Marks the file as ours ("gtbd").
pub(super) const APPLICATION_ID: i64 = 0x6774_6264;

/// The newest format this program knows.
pub(super) const NEWEST: i64 = MIGRATIONS.len() as i64;

/// Brings a file of format `from` to the newest, in the transaction that is open.
pub(super) fn migrate(conn: &Connection, from: i64) -> rusqlite::Result<()> {
    for (number, script) in (1_i64..).zip(MIGRATIONS).skip(usize::try_from(from).unwrap_or(0)) {
        conn.execute_batch(script)?;
        conn.pragma_update(None, "user_version", number)?;
    }
    conn.pragma_update(None, "application_id", APPLICATION_ID)
}

/// The format of an open file, or `None` when it is not one of ours.
pub(super) fn version(conn: &Connection) -> rusqlite::Result<Option<i64>> {
    let application: i64 = conn.query_row("PRAGMA application_id", [], |row| row.get(0))?;
    if application != APPLICATION_ID {
        return Ok(None);
    }
    conn.query_row("PRAGMA user_version", [], |row| row.get(0)).map(Some)
}

/// Whether an open file that bears another mark than ours, or none, holds tables, and none of ours.
pub(super) fn is_foreign(conn: &Connection) -> rusqlite::Result<bool> {
    let sql = "SELECT count(*) > 0 AND count(*) FILTER (WHERE name = 'outbox') = 0 FROM sqlite_master";
    conn.query_row(sql, [], |row| row.get(0))
}
