//! The outbox: what the ledger has still to record.

use std::io::{Read as _, Write as _};

use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;

use super::{StoreError, row};
use crate::base::{BeadId, Time};

/// One transition of one bead, ready to be committed to the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxRow {
    /// Its place; acknowledge with [`super::Write::ack_outbox_rows`].
    pub seq: i64,
    /// The bead.
    pub bead: BeadId,
    /// Who made the transition.
    pub actor: String,
    /// When.
    pub at: Time,
    /// One line: what happened.
    pub summary: String,
    /// The ledger file: canonical JSON with its stamps under `_v`.
    pub doc: String,
}

/// The transitions of beads that are filed together, small: their files are much alike.
#[derive(Debug)]
pub(super) struct Pack {
    packed: ZlibEncoder<Vec<u8>>,
    many: usize,
}

impl Pack {
    pub(super) fn new() -> Self {
        Self { packed: ZlibEncoder::new(Vec::new(), Compression::fast()), many: 0 }
    }

    /// Adds a transition; `summary` is one line, and so is `doc`, with its line feed.
    pub(super) fn push(&mut self, bead: &BeadId, summary: &str, doc: &str) -> std::io::Result<()> {
        self.many += 1;
        for part in [bead.as_str(), "\t", summary, "\n", doc] {
            self.packed.write_all(part.as_bytes())?;
        }
        Ok(())
    }

    /// How many transitions, and what is to be kept; nothing when there are none.
    pub(super) fn finish(self) -> std::io::Result<Option<(usize, Vec<u8>)>> {
        if self.many == 0 { Ok(None) } else { Ok(Some((self.many, self.packed.finish()?))) }
    }

    /// What [`Self::push`] was given: bead, summary and file.
    pub(super) fn open(packed: &[u8]) -> Result<Vec<(BeadId, String, String)>, StoreError> {
        let damaged = |detail: String| StoreError::Damaged { path: "beads.db".into(), detail };
        let mut text = String::new();
        ZlibDecoder::new(packed)
            .read_to_string(&mut text)
            .map_err(|e| damaged(format!("a pack of the outbox: {e}")))?;
        let mut lines = text.split_inclusive('\n');
        let mut all = Vec::new();
        while let Some(head) = lines.next() {
            let (Some((bead, summary)), Some(doc)) = (head.trim_end_matches('\n').split_once('\t'), lines.next())
            else {
                return Err(damaged("a pack of the outbox ends too early".to_owned()));
            };
            all.push((row::id(bead)?, summary.to_owned(), doc.to_owned()));
        }
        Ok(all)
    }
}
