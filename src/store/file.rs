//! Opening, reading and writing a store.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::lock::{Locked, Queue, Quiet, identity, open_lock, wait_for_database};
use super::log::Log;
use super::{Read, Stamp, StoreError, Write, schema};
use crate::base::fault::{Point, pass};
use crate::base::{Prefix, Time, lock};

/// What a store keeps its beads in.
pub const FILE: &str = "beads.db";
/// Each transaction is on disk when it has ended.
pub(super) const EACH_ON_DISK: &str = "PRAGMA synchronous = FULL; PRAGMA cache_size = -8192";

/// An open store.
#[derive(Debug)]
pub struct Store {
    dir: PathBuf,
    /// Device and number of the file, where the system tells.
    file: Option<(u64, u64)>,
    conn: Connection,
    lock: Option<Arc<Queue>>,
    /// The write lock, held while several writes are one transaction.
    group: Option<Locked>,
    /// Whoever has the store holds the write lock.
    alone: bool,
    /// Nothing may be written through it.
    readonly: bool,
    /// How long the log is, and may become.
    pub(super) log: Log,
}

impl Store {
    /// Makes the folder and an empty store in it, whose own prefix is `prefix`.
    pub fn create(beads_dir: &Path, prefix: &Prefix, now: Time) -> Result<Self, StoreError> {
        let io = |error| StoreError::Io { path: beads_dir.to_owned(), error };
        let path = beads_dir.join(FILE);
        if path.exists() {
            return Err(StoreError::StoreExists(path));
        }
        std::fs::create_dir_all(beads_dir).map_err(io)?;
        let lock = Locked::take(Queue::open(beads_dir)?, beads_dir)?;
        if path.exists() {
            return Err(StoreError::StoreExists(path));
        }
        // The log of a database that is gone would be taken for that of the new one.
        for end in ["-wal", "-shm"] {
            let left = beads_dir.join(format!("{FILE}{end}"));
            if left.exists() {
                std::fs::rename(left, beads_dir.join(format!("{FILE}.left-{}{end}", now.millis()))).map_err(io)?;
            }
        }
        // Built under another name: whoever looks sees no store or a whole one.
        let building = beads_dir.join("beads.db.new");
        let _ = std::fs::remove_file(&building);
        {
            let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
            let conn = Connection::open_with_flags(&building, flags)?;
            conn.execute_batch("BEGIN IMMEDIATE")?;
            schema::migrate(&conn, 0)?;
            let replica = replica_name(beads_dir, now);
            conn.execute("INSERT INTO meta VALUES ('replica', ?1), ('clock', 0), ('epoch', 0)", [replica])?;
            conn.execute("INSERT INTO meta VALUES ('created_at', ?1)", [now.to_string()])?;
            conn.execute("INSERT INTO settings VALUES ('issue_prefix', ?1)", [prefix.as_str()])?;
            conn.execute_batch("COMMIT")?;
            let mode: String = conn.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
            if mode != "wal" {
                let detail = format!("this file system cannot hold a WAL database (journal mode {mode})");
                return Err(StoreError::Damaged { path, detail });
            }
        }
        File::open(&building).and_then(|f| f.sync_all()).map_err(io)?;
        pass(Point::StoreBuilt);
        std::fs::rename(&building, &path).map_err(io)?;
        pass(Point::StoreNamed);
        crate::base::atomic::sync_folder(beads_dir).map_err(io)?;
        drop(lock);
        Self::open(beads_dir)
    }

    /// Opens the store in `beads_dir` for reading and writing; changes nothing but an older format.
    ///
    /// Where another database is just being put in its place, that one is opened.
    pub fn open(beads_dir: &Path) -> Result<Self, StoreError> {
        let path = beads_dir.join(FILE);
        loop {
            // The log is opened by its name, after the file: the name must mean the same file before and after.
            let file = identity(&path);
            let opened = Self::open_file(beads_dir, &path, file);
            if matches!(opened, Err(StoreError::NoStore(_))) {
                wait_for_database(beads_dir);
            }
            if identity(&path) == file {
                return opened;
            }
        }
    }

    /// As [`Self::open`]; every write through it is refused.
    pub fn open_to_read(beads_dir: &Path) -> Result<Self, StoreError> {
        Ok(Self { readonly: true, ..Self::open(beads_dir)? })
    }

    /// Whether every write through it is refused.
    pub fn is_readonly(&self) -> bool {
        self.readonly
    }

    fn open_file(beads_dir: &Path, path: &Path, file: Option<(u64, u64)>) -> Result<Self, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut conn = match Connection::open_with_flags(path, flags) {
            Ok(conn) => conn,
            Err(_) if !path.exists() => return Err(StoreError::NoStore(path.to_owned())),
            Err(error) => return Err(unreadable(path, &error)),
        };
        conn.set_prepared_statement_cache_capacity(128);
        conn.busy_timeout(lock::patience())?;
        let Some(found) = schema::version(&conn).map_err(|e| unreadable(path, &e))? else {
            let path = path.to_owned();
            if schema::is_foreign(&conn).map_err(|e| unreadable(&path, &e))? {
                return Err(StoreError::Foreign(path));
            }
            return Err(StoreError::Damaged { path, detail: "this file is no store of beads".to_owned() });
        };
        if !(1..=schema::NEWEST).contains(&found) {
            return Err(StoreError::Version { path: path.to_owned(), found, known: schema::NEWEST });
        }
        if found < schema::NEWEST {
            upgrade(&conn, beads_dir)?;
        }
        // Else a statement whose plan looked at a parameter, as for a partial index, is compiled anew for each value.
        conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        conn.execute_batch("PRAGMA temp_store = MEMORY")?;
        conn.execute_batch(EACH_ON_DISK)?;
        let log = Log::of(&mut conn)?;
        Ok(Self { dir: beads_dir.to_owned(), file, conn, lock: None, group: None, alone: false, readonly: false, log })
    }

    /// Whether the file of this store is still the one in its place: false when it was taken away or another one was
    /// put there, as from a backup. Who holds a store open for long asks now and then.
    pub fn in_place(&self) -> bool {
        identity(&self.dir.join(FILE)) == self.file
    }

    /// Answers from one snapshot.
    pub fn read<T, E: From<StoreError>>(&self, f: impl FnOnce(&Read<'_>) -> Result<T, E>) -> Result<T, E> {
        if self.group.is_some() {
            return f(&Read::new(&self.conn));
        }
        let open = Transaction::begin(&self.conn, "BEGIN DEFERRED")?;
        self.expect_format()?;
        let answer = f(&Read::new(&self.conn))?;
        open.end("COMMIT")?;
        Ok(answer)
    }

    /// One transaction: waits for the write lock, runs `f`, commits. `Err` from `f` undoes everything.
    pub fn write<T, E: From<StoreError>>(
        &mut self,
        by: &Stamp,
        f: impl FnOnce(&mut Write<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        if self.group.is_some() {
            return self.write_in_group(by, f);
        }
        let lock = self.locked()?;
        let open = Transaction::begin(&self.conn, "BEGIN IMMEDIATE")?;
        self.expect_format()?;
        pass(Point::StoreBegun);
        let mut write = Write::begin(&self.conn, by)?;
        let answer = f(&mut write)?;
        write.finish()?;
        pass(Point::StoreWritten);
        open.end("COMMIT")?;
        pass(Point::StoreCommitted);
        drop(lock);
        self.settle_log();
        Ok(answer)
    }

    /// From here to [`Self::end_group`] every write is a part of one transaction, and other writers wait.
    ///
    /// A write that fails is undone alone; the others of the group stand until the end of the group decides.
    pub fn begin_group(&mut self) -> Result<(), StoreError> {
        let lock = self.locked()?;
        let open = Transaction::begin(&self.conn, "BEGIN IMMEDIATE")?;
        self.expect_format()?;
        open.keep();
        self.group = lock;
        Ok(())
    }

    /// Who holds a store open for long may find that a newer program has changed its format meanwhile.
    fn expect_format(&self) -> Result<(), StoreError> {
        let found: i64 = self.conn.prepare_cached("PRAGMA user_version")?.query_row([], |row| row.get(0))?;
        if found == schema::NEWEST {
            return Ok(());
        }
        Err(StoreError::Version { path: self.dir.join(FILE), found, known: schema::NEWEST })
    }

    /// Ends a group: writes all of it, or nothing. The lock is free afterwards in any case.
    pub fn end_group(&mut self, keep: bool) -> Result<(), StoreError> {
        if self.group.is_none() {
            return Ok(());
        }
        let ended = self.conn.execute_batch(if keep { "COMMIT" } else { "ROLLBACK" });
        if ended.is_err() && !self.conn.is_autocommit() {
            let _ = self.conn.execute_batch("ROLLBACK");
        }
        self.group = None;
        self.settle_log();
        Ok(ended?)
    }

    /// Whether several writes are one transaction now.
    pub(crate) fn in_group(&self) -> bool {
        self.group.is_some()
    }

    fn write_in_group<T, E: From<StoreError>>(
        &mut self,
        by: &Stamp,
        f: impl FnOnce(&mut Write<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let run = |sql: &str| self.conn.execute_batch(sql).map_err(StoreError::from);
        run("SAVEPOINT part")?;
        let answer = Write::begin(&self.conn, by).map_err(E::from).and_then(|mut write| {
            let answer = f(&mut write)?;
            write.finish()?;
            Ok(answer)
        });
        if answer.is_err() {
            run("ROLLBACK TO part")?;
        }
        run("RELEASE part")?;
        answer
    }

    /// Closes the store with everything in its one file.
    pub fn close(self) -> Result<(), StoreError> {
        self.empty_log()?;
        self.conn.close().map_err(|(_, error)| error.into())
    }

    /// A number that changes when another connection has written.
    pub fn data_version(&self) -> Result<u64, StoreError> {
        Ok(self.conn.query_row("PRAGMA data_version", [], |row| row.get::<_, i64>(0))? as u64)
    }

    /// The folder of the store.
    pub fn beads_dir(&self) -> &Path {
        &self.dir
    }

    /// The name of this copy of the store among all copies.
    pub fn replica(&self) -> Result<String, StoreError> {
        Ok(self.conn.query_row("SELECT value FROM meta WHERE key = 'replica'", [], |row| row.get(0))?)
    }

    /// A file of the store's folder, locked for this process until the file is dropped; waits for it, for a while.
    pub fn hold(&self, name: &str) -> Result<File, StoreError> {
        let file = open_lock(&self.dir, name)?;
        lock::wait(&file, lock::How::Alone).map_err(|error| StoreError::lock(self.dir.join(name), error))?;
        Ok(file)
    }

    /// The store's own prefix.
    pub fn prefix(&self) -> Result<Prefix, StoreError> {
        Read::new(&self.conn).prefix()
    }

    /// Checks the whole file; the findings, none when all is well. Slow on a large store.
    pub fn check(&self) -> Result<Vec<String>, StoreError> {
        let mut statement = self.conn.prepare("PRAGMA integrity_check")?;
        let found = statement.query_map([], |row| row.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?;
        Ok(found.into_iter().filter(|line| line != "ok").collect())
    }

    pub(super) fn connection(&self) -> &Connection {
        &self.conn
    }

    /// Waits for the write lock; none where it is held for this store already. Whoever held it may have put another
    /// database in the place of this one: then that one is opened, or the write would be lost with the old one.
    pub(super) fn locked(&mut self) -> Result<Option<Locked>, StoreError> {
        if self.readonly {
            return Err(StoreError::ReadOnly);
        }
        if self.alone {
            return Ok(None);
        }
        loop {
            let queue = match self.lock.take() {
                Some(queue) => queue,
                None => Queue::open(&self.dir)?,
            };
            let lock = Locked::take(Arc::clone(&queue), &self.dir)?;
            self.lock = Some(queue);
            if self.in_place() {
                return Ok(Some(lock));
            }
            drop(lock);
            *self = Self::open(&self.dir)?;
        }
    }

    /// Writes from here on need not wait: nobody else does, as long as `quiet` lives. False when another database was
    /// put in the place of this one before.
    pub fn alone(&mut self, _quiet: &Quiet) -> bool {
        self.alone = self.in_place();
        self.alone
    }
}

/// An open transaction; rolled back unless it was ended.
struct Transaction<'a> {
    conn: &'a Connection,
    open: bool,
}

impl<'a> Transaction<'a> {
    fn begin(conn: &'a Connection, how: &str) -> Result<Self, StoreError> {
        conn.execute_batch(how)?;
        Ok(Self { conn, open: true })
    }

    /// Leaves it open for others to end.
    fn keep(mut self) {
        self.open = false;
    }

    fn end(mut self, how: &str) -> Result<(), StoreError> {
        self.conn.execute_batch(how)?;
        self.open = false;
        Ok(())
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        if self.open && !self.conn.is_autocommit() {
            let _ = self.conn.execute_batch("ROLLBACK");
        }
    }
}

/// Brings a file of an older format to the newest, once, whoever else opens it now.
fn upgrade(conn: &Connection, dir: &Path) -> Result<(), StoreError> {
    let lock = Locked::take(Queue::open(dir)?, dir)?;
    let open = Transaction::begin(conn, "BEGIN IMMEDIATE")?;
    // Somebody may have done it while we waited.
    schema::migrate(conn, schema::version(conn)?.unwrap_or(0))?;
    open.end("COMMIT")?;
    drop(lock);
    Ok(())
}

/// Eight letters and digits that no other copy has: from the folder, the time and the system's random source.
pub(super) fn replica_name(dir: &Path, now: Time) -> String {
    use std::hash::{BuildHasher, Hasher};
    let mut hasher = std::hash::RandomState::new().build_hasher();
    hasher.write(dir.as_os_str().as_encoded_bytes());
    hasher.write_i128(now.nanos());
    hasher.write_u32(std::process::id());
    let mut n = hasher.finish();
    (0..8)
        .map(|_| {
            let digit = b"0123456789abcdefghijklmnopqrstuv"[(n % 32) as usize];
            n /= 32;
            char::from(digit)
        })
        .collect()
}

fn unreadable(path: &Path, error: &rusqlite::Error) -> StoreError {
    let detail = match error.sqlite_error_code() {
        Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied | ErrorCode::ReadOnly) => {
            format!("it cannot be opened ({error}); check the permissions of the file and its folder")
        }
        _ => error.to_string(),
    };
    StoreError::Damaged { path: path.to_owned(), detail }
}
