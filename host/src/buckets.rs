//! Buckets that fill at a rate: how often each of many may do something.

use std::collections::HashMap;
use std::hash::Hash;

/// How many are remembered, so that who has many names fills no memory.
pub(crate) const REMEMBERED: usize = 10_000;

/// A bucket for each, which fills at a rate.
pub(crate) struct Buckets<K> {
    rate: f64,
    most: f64,
    of: HashMap<K, Bucket>,
}

/// How much there is left for one.
pub(crate) struct Bucket {
    tokens: f64,
    at: f64,
    most: f64,
}

impl<K: Eq + Hash> Buckets<K> {
    /// Buckets that hold so many at most, and get so many a second.
    pub(crate) fn new(rate: f64, most: f64) -> Self {
        Self { rate, most, of: HashMap::new() }
    }

    /// The bucket of this one, which is full if there was none.
    pub(crate) fn of(&mut self, key: K, now: f64) -> &mut Bucket {
        let (rate, most) = (self.rate, self.most);
        if self.of.len() >= REMEMBERED && !self.of.contains_key(&key) {
            self.of.retain(|_, bucket| !bucket.fill(rate, now).is_full());
            if self.of.len() >= REMEMBERED {
                self.forget_the_fullest();
            }
        }
        self.of.entry(key).or_insert(Bucket { tokens: most, at: now, most }).fill(rate, now)
    }

    /// Who fills the memory with others frees nobody who has nothing left.
    fn forget_the_fullest(&mut self) {
        let mut levels: Vec<f64> = self.of.values().map(|bucket| bucket.tokens).collect();
        levels.sort_by(f64::total_cmp);
        let half = levels.get(levels.len() / 2).copied().unwrap_or_default();
        self.of.retain(|_, bucket| bucket.tokens < half);
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.of.len()
    }

    /// The bucket of this one, if there is one.
    pub(crate) fn of_known<Q: Eq + Hash + ?Sized>(&mut self, key: &Q, now: f64) -> Option<&mut Bucket>
    where
        K: std::borrow::Borrow<Q>,
    {
        self.of.get_mut(key).map(|bucket| bucket.fill(self.rate, now))
    }

    /// Forgets this one.
    pub(crate) fn forget<Q: Eq + Hash + ?Sized>(&mut self, key: &Q)
    where
        K: std::borrow::Borrow<Q>,
    {
        self.of.remove(key);
    }
}

impl Bucket {
    fn fill(&mut self, rate: f64, now: f64) -> &mut Self {
        self.tokens = (self.tokens + rate * (now - self.at).max(0.0)).min(self.most);
        self.at = now;
        self
    }

    /// Takes one, if there is one.
    pub(crate) fn take(&mut self) -> bool {
        let is_there = self.tokens >= 1.0;
        if is_there {
            self.tokens -= 1.0;
        }
        is_there
    }

    /// Puts one back.
    pub(crate) fn give_back(&mut self) {
        self.tokens = (self.tokens + 1.0).min(self.most);
    }

    fn is_full(&self) -> bool {
        self.tokens >= self.most
    }
}
