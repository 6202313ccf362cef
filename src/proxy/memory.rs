//! Replies that are given again without asking a server, bounded in bytes, for all sessions. Knows nothing of what they say;
//! when one may be used is the session's to decide.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::SeqCst};

use bytes::Bytes;
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use crate::session::{MemoryKey, Settings};
use crate::wire::Outcome;

/// A longer reply is not kept, in bytes: the definitions of some two hundred columns.
pub(super) const LONGEST: usize = 16 << 10;

/// What an entry takes beside its bytes.
const OVERHEAD: u64 = 512;

/// A reply, as the client that caused it had it.
#[derive(Debug)]
pub struct Remembered {
    /// Its packets.
    pub reply: Bytes,
    /// What it said.
    pub outcome: Outcome,
    /// The settings that a SET left.
    pub settings: Option<Arc<Settings>>,
    /// Of the names of the columns that the first EXECUTE had; 0: none yet.
    digest: AtomicU64,
}

impl Remembered {
    /// A reply that was just relayed.
    #[must_use]
    pub fn new(reply: Bytes, outcome: Outcome, settings: Option<Arc<Settings>>) -> Self {
        Self { reply, outcome, settings, digest: AtomicU64::new(0) }
    }
}

#[derive(Clone)]
struct Bytewise;

impl Weighter<u128, Arc<Remembered>> for Bytewise {
    fn weight(&self, _: &u128, one: &Arc<Remembered>) -> u64 {
        OVERHEAD.saturating_add(one.reply.len() as u64)
    }
}

/// The replies that are remembered.
pub struct Memory {
    cache: Option<Cache<u128, Arc<Remembered>, Bytewise>>,
    generation: AtomicU64,
    changing: AtomicU32,
}

impl Memory {
    /// Keeps replies of so many bytes together; 0: none.
    #[must_use]
    pub fn new(bytes: u64) -> Self {
        let expected = usize::try_from(bytes >> 10).unwrap_or(usize::MAX);
        let cache = (bytes > 0).then(|| Cache::with_weighter(expected, bytes, Bytewise));
        Self { cache, generation: AtomicU64::new(0), changing: AtomicU32::new(0) }
    }

    /// The number of changes of tables so far. None: nothing is remembered, or a change is under way, and nobody can tell
    /// whether a reply was made before it or after.
    #[must_use]
    pub fn generation(&self) -> Option<u64> {
        (self.cache.is_some() && self.changing.load(SeqCst) == 0).then(|| self.generation.load(SeqCst))
    }

    /// Changes of tables so far.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.generation.load(SeqCst)
    }

    /// What is remembered by this key.
    #[must_use]
    pub fn get(&self, key: MemoryKey) -> Option<Arc<Remembered>> {
        self.cache.as_ref()?.get(&key.0)
    }

    /// Keeps a reply.
    pub fn keep(&self, key: MemoryKey, remembered: Remembered) {
        if let Some(cache) = &self.cache {
            cache.insert(key.0, Arc::new(remembered));
        }
    }

    /// It is wrong, or may be.
    pub fn forget(&self, key: MemoryKey) {
        if let Some(cache) = &self.cache {
            cache.remove(&key.0);
        }
    }

    /// An EXECUTE of a statement whose PREPARE is remembered by this key had columns of these names: others than the one
    /// before, when the table was changed past the proxy.
    pub fn compare(&self, key: MemoryKey, digest: u64) {
        let Some(remembered) = self.get(key) else { return };
        let first = remembered.digest.compare_exchange(0, digest, SeqCst, SeqCst);
        if first.is_err_and(|known| known != digest) {
            self.forget(key);
        }
    }

    /// A statement that may change tables begins; what is remembered is of no use until it has ended, nor after it.
    pub fn change(&self) -> Changing<'_> {
        self.changing.fetch_add(1, SeqCst);
        Changing(self)
    }
}

/// A change of tables is under way.
pub struct Changing<'a>(&'a Memory);

impl Drop for Changing<'_> {
    fn drop(&mut self) {
        self.0.generation.fetch_add(1, SeqCst);
        self.0.changing.fetch_sub(1, SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some(bytes: usize) -> Remembered {
        Remembered::new(Bytes::from(vec![0; bytes]), Outcome::default(), None)
    }

    #[test]
    fn a_change_of_tables_is_another_generation() {
        let memory = Memory::new(1 << 20);
        assert_eq!(memory.generation(), Some(0));
        let changing = memory.change();
        assert_eq!(memory.generation(), None);
        drop(changing);
        assert_eq!(memory.generation(), Some(1));
        assert_eq!(Memory::new(0).generation(), None);
    }

    #[test]
    fn columns_of_other_names_are_forgotten() {
        let memory = Memory::new(1 << 20);
        let key = MemoryKey(7);
        memory.keep(key, some(10));
        memory.compare(key, 5);
        memory.compare(key, 5);
        assert!(memory.get(key).is_some());
        memory.compare(key, 6);
        assert!(memory.get(key).is_none());
    }

    #[test]
    fn bytes_are_bounded() {
        let memory = Memory::new(100 << 10);
        for key in 0..1_000_u128 {
            memory.keep(MemoryKey(key << 64 | key), some(9_728));
        }
        let kept = (0..1_000_u128).filter(|key| memory.get(MemoryKey(key << 64 | key)).is_some()).count();
        assert!(kept <= 10, "{kept}");
    }
}
