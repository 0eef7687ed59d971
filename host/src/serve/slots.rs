//! How many connections there are, and which one makes room when there are too many.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

/// How many connections a listener holds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Most {
    /// In all.
    pub(super) in_all: usize,
    /// Of one client that is no trusted proxy.
    pub(super) of_one: usize,
}

/// The connections of a listener.
pub(super) struct Slots {
    most: Most,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    next: u64,
    /// The oldest first.
    connections: BTreeMap<u64, Arc<Connection>>,
}

/// One of them.
pub(super) struct Connection {
    /// Whose it is, if he is counted.
    client: Option<IpAddr>,
    is_busy: AtomicBool,
    /// Ends it at once.
    pub(super) end: CancellationToken,
}

/// A place that is given back when this is dropped.
pub(super) struct Slot {
    slots: Arc<Slots>,
    number: u64,
    pub(super) connection: Arc<Connection>,
}

impl Connection {
    /// Whether a request of it is being answered.
    pub(super) fn busy(&self, is_busy: bool) {
        self.is_busy.store(is_busy, Ordering::Relaxed);
    }

    fn is_idle(&self) -> bool {
        !self.is_busy.load(Ordering::Relaxed)
    }
}

impl Slots {
    pub(super) fn new(most: Most) -> Arc<Self> {
        Arc::new(Self { most, taken: Mutex::default() })
    }

    /// A place for a new connection. If there is none, the oldest one that asks for nothing ends: whoever holds many open that never ask
    /// keeps nobody out. `None` when all of them are being answered.
    pub(super) fn take(self: &Arc<Self>, client: Option<IpAddr>) -> Option<Slot> {
        let mut taken = self.taken();
        let own = |connection: &Connection| client.is_some() && connection.client == client;
        let is_room = taken.make_room(self.most.of_one, own) && taken.make_room(self.most.in_all, |_| true);
        is_room.then(|| {
            let connection = Connection { client, is_busy: AtomicBool::new(false), end: CancellationToken::new() };
            let (number, connection) = (taken.next, Arc::new(connection));
            taken.next += 1;
            taken.connections.insert(number, Arc::clone(&connection));
            Slot { slots: Arc::clone(self), number, connection }
        })
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    /// Makes sure that one more of those that count is not too many.
    fn make_room(&mut self, most: usize, counts: impl Fn(&Connection) -> bool) -> bool {
        let mut counted = self.connections.iter().filter(|(_, connection)| counts(connection));
        if counted.clone().count() < most {
            return true;
        }
        let oldest = counted.find(|(_, connection)| connection.is_idle()).map(|(number, _)| *number);
        let ended = oldest.and_then(|number| self.connections.remove(&number));
        ended.inspect(|connection| connection.end.cancel()).is_some()
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.slots.taken().connections.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    #[test]
    fn the_oldest_that_asks_for_nothing_makes_room() {
        let slots = Slots::new(Most { in_all: 3, of_one: 2 });
        let [busy, idle] = [1, 2].map(|last| slots.take(Some(address(last))).unwrap());
        busy.connection.busy(true);
        let third = slots.take(Some(address(3))).unwrap();
        let fourth = slots.take(Some(address(4))).unwrap();
        assert!(idle.connection.end.is_cancelled() && !busy.connection.end.is_cancelled());
        for slot in [&third, &fourth] {
            slot.connection.busy(true);
        }
        assert!(slots.take(Some(address(5))).is_none(), "all are being answered");
        drop(third);
        assert!(slots.take(Some(address(5))).is_some());
    }

    #[test]
    fn one_client_takes_its_own_places_and_no_others() {
        let slots = Slots::new(Most { in_all: 9, of_one: 2 });
        let other = slots.take(Some(address(9))).unwrap();
        let [first, second] = [1, 1].map(|last| slots.take(Some(address(last))).unwrap());
        let third = slots.take(Some(address(1))).unwrap();
        assert!(first.connection.end.is_cancelled());
        assert!([&other, &second, &third].iter().all(|slot| !slot.connection.end.is_cancelled()));
        let proxied: Vec<_> = (0..5).map(|_| slots.take(None).unwrap()).collect();
        assert!(proxied.iter().all(|slot| !slot.connection.end.is_cancelled()), "a proxy asks for many");
    }
}
