//! The bounded cache of shapes, shared by all sessions.

use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use quick_cache::UnitWeighter;
use quick_cache::sync::{Cache, DefaultLifecycle};

use super::shape::{Shape, ShapeKey};

/// Keys are keyed hashes: half of one is as good a hash as any.
#[derive(Default)]
pub(super) struct Half(u64);

impl Hasher for Half {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        let half: [u8; 8] = bytes.first_chunk().copied().unwrap_or_default();
        self.0 ^= u64::from_le_bytes(half);
    }
}

type Key = u128;
type Inner = Cache<Key, Arc<Shape>, UnitWeighter, BuildHasherDefault<Half>, DefaultLifecycle<Key, Arc<Shape>>>;

/// Shapes by key.
pub(super) struct Shapes {
    cache: Inner,
    hits: AtomicU64,
    misses: AtomicU64,
}

impl Shapes {
    /// `capacity`: the number of shapes kept.
    pub(super) fn new(capacity: usize) -> Self {
        let weight = u64::try_from(capacity).unwrap_or(u64::MAX);
        let cache =
            Inner::with(capacity, weight, UnitWeighter, BuildHasherDefault::default(), DefaultLifecycle::default());
        Self { cache, hits: AtomicU64::new(0), misses: AtomicU64::new(0) }
    }

    /// The shape of this key, made by `make` at first sight.
    pub(super) fn get(&self, key: ShapeKey, make: impl FnOnce() -> Shape) -> Arc<Shape> {
        if let Some(shape) = self.cache.get(&key.0) {
            self.hits.fetch_add(1, Ordering::Relaxed);
            return shape;
        }
        self.misses.fetch_add(1, Ordering::Relaxed);
        let shape = Arc::new(make());
        self.cache.insert(key.0, Arc::clone(&shape));
        shape
    }

    pub(super) fn hits(&self) -> u64 {
        self.hits.load(Ordering::Relaxed)
    }

    pub(super) fn misses(&self) -> u64 {
        self.misses.load(Ordering::Relaxed)
    }
}
