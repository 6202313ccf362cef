//! The rules of the pools, over connections that are numbers.

use std::collections::HashMap;

use proptest::prelude::*;
use tokio::sync::oneshot::Receiver;

use super::*;
use crate::clock;

const fn limits(server: u32, user: u32, connecting: u32) -> Limits {
    Limits { server, user, connecting }
}

/// Takes one, and makes it where there is a place.
fn make(capacity: &mut Capacity<u32>, pool: PoolIndex, name: u32) -> u32 {
    match capacity.take(pool, 0, |_| 0) {
        Taken::Connection(connection) => connection,
        Taken::Place(_) => {
            assert!(capacity.made().is_empty());
            name
        }
        Taken::Nothing => panic!("nothing for {name}"),
    }
}

fn is_granted(granted: &mut Receiver<Granted<u32>>) -> Option<Granted<u32>> {
    granted.try_recv().ok()
}

#[test]
fn the_one_that_was_used_last_is_taken_unless_another_fits_better() {
    let mut capacity = Capacity::new(limits(10, 10, 10));
    let pool = capacity.add("app".into());
    let made: Vec<u32> = (1..=3).map(|name| make(&mut capacity, pool, name)).collect();
    for name in made {
        assert_eq!(capacity.give_back(pool, name, clock::now()), None);
    }
    let mut take = |wanted: u32| match capacity.take(pool, 1, |name| u8::from(*name == wanted)) {
        Taken::Connection(name) => name,
        other => panic!("{other:?}"),
    };
    assert_eq!((take(1), take(9), take(2)), (1, 3, 2));
    assert_eq!(capacity.usage(), (3, 0));
}

#[test]
fn those_who_wait_get_what_comes_back_in_order() {
    let mut capacity = Capacity::new(limits(1, 1, 1));
    let pool = capacity.add("app".into());
    let connection = make(&mut capacity, pool, 7);
    let mut line: Vec<_> = (0..3).map(|_| capacity.wait(pool, false)).collect();
    // One gives up, one comes first.
    assert!(capacity.cancel(line[1].0) && !capacity.cancel(line[1].0));
    let (_, mut first) = capacity.wait(pool, true);
    for granted in [&mut first, &mut line[0].1] {
        assert!(is_granted(granted).is_none());
        capacity.give_back(pool, connection, clock::now());
        assert!(matches!(is_granted(granted), Some(Granted::Connection(7))));
    }
    // Whoever is gone is passed over.
    drop(line);
    let (_, gone) = capacity.wait(pool, false);
    drop(gone);
    assert_eq!(capacity.give_back(pool, connection, clock::now()), None);
    assert_eq!(capacity.usage(), (0, 1));
    assert_eq!(capacity.waiting(), 0);
}

#[test]
fn the_longest_idle_of_another_pool_makes_room_within_the_limit_that_binds() {
    let mut capacity = Capacity::new(limits(3, 2, 9));
    let (one, two, other) = (capacity.add("a".into()), capacity.add("a".into()), capacity.add("b".into()));
    let made = [(one, 1), (other, 2), (one, 3)].map(|(pool, name)| (pool, make(&mut capacity, pool, name)));
    for (pool, name) in made {
        capacity.give_back(pool, name, clock::now());
    }
    // The user's own limit: only its own connections help, the longest idle first.
    assert_eq!(capacity.limit(two), Some(Limit::User));
    assert!(matches!(capacity.take(two, 0, |_| 0), Taken::Place(Some(1))));
    // The server's: anybody's.
    let third = capacity.add("c".into());
    assert_eq!(capacity.limit(third), Some(Limit::Server));
    assert!(matches!(capacity.take(third, 0, |_| 0), Taken::Place(Some(2))));
    assert_eq!((capacity.size(one), capacity.size(other), capacity.size(two), capacity.size(third)), (1, 0, 1, 1));
    assert!(capacity.remove(other) && !capacity.remove(one));
}

#[test]
fn logins_at_the_same_time_are_limited_and_a_connection_that_comes_back_serves_as_well() {
    let mut capacity = Capacity::new(limits(10, 10, 1));
    let pool = capacity.add("app".into());
    let connection = make(&mut capacity, pool, 1);
    assert!(matches!(capacity.take(pool, 0, |_| 0), Taken::Place(None)));
    assert!(matches!(capacity.take(pool, 0, |_| 0), Taken::Nothing));
    assert_eq!(capacity.limit(pool), Some(Limit::Connecting));
    let [(_, mut first), (_, mut second), (_, mut third)] = [0; 3].map(|_| capacity.wait(pool, false));
    assert!(!capacity.reserve(pool));
    capacity.give_back(pool, connection, clock::now());
    assert!(matches!(is_granted(&mut first), Some(Granted::Connection(1))));
    // The login is over: the next one may.
    assert!(capacity.made().is_empty());
    assert!(matches!(is_granted(&mut second), Some(Granted::Place)));
    assert!(is_granted(&mut third).is_none());
    // It failed.
    assert!(capacity.failed(pool).is_empty());
    assert!(matches!(is_granted(&mut third), Some(Granted::Place)));
    assert_eq!(capacity.usage(), (3, 0));
}

#[test]
fn who_waits_for_another_pool_is_passed_over_so_many_times_and_then_served() {
    let mut capacity = Capacity::new(limits(1, 1, 1));
    let (busy, other) = (capacity.add("a".into()), capacity.add("b".into()));
    let connection = make(&mut capacity, busy, 1);
    let (_, mut patient) = capacity.wait(other, false);
    let mut turns = 0;
    while is_granted(&mut patient).is_none() {
        let (_, mut next) = capacity.wait(busy, false);
        turns += 1;
        match capacity.give_back(busy, connection, clock::now()) {
            None => assert!(matches!(is_granted(&mut next), Some(Granted::Connection(1)))),
            Some(closed) => assert_eq!(closed, 1),
        }
    }
    assert_eq!(turns, PASSES + 1);
    // Without anybody of its own pool, it is served at once.
    capacity.made();
    let (_, mut back) = capacity.wait(busy, false);
    assert_eq!(capacity.give_back(other, 2, clock::now()), Some(2));
    assert!(matches!(is_granted(&mut back), Some(Granted::Place)));
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Ask(u8),
    GiveBack(u8),
    Close(u8),
    Made(u8),
    Failed(u8),
    Cancel(u8),
    Tidy(u8),
    Warm(u8),
}

fn step() -> impl Strategy<Value = Step> {
    let at = any::<u8>();
    prop_oneof![
        4 => at.prop_map(Step::Ask),
        3 => at.prop_map(Step::GiveBack),
        1 => at.prop_map(Step::Close),
        2 => at.prop_map(Step::Made),
        1 => at.prop_map(Step::Failed),
        1 => at.prop_map(Step::Cancel),
        1 => at.prop_map(Step::Tidy),
        1 => at.prop_map(Step::Warm),
    ]
}

/// What a careful observer knows of it: who has what.
#[derive(Default)]
struct Model {
    pools: Vec<(PoolIndex, &'static str)>,
    /// Connections in use, with their pools.
    used: Vec<(PoolIndex, u32)>,
    /// Places at which one is being made.
    places: Vec<PoolIndex>,
    line: Vec<(PoolIndex, Ticket, Receiver<Granted<u32>>)>,
    made: u32,
    closed: Vec<u32>,
    home: HashMap<u32, PoolIndex>,
}

impl Model {
    fn got(&mut self, pool: PoolIndex, connection: u32) {
        assert_eq!(self.home.get(&connection), Some(&pool), "of another pool");
        assert!(!self.closed.contains(&connection), "closed before");
        assert!(!self.used.iter().any(|(_, used)| *used == connection), "in use twice");
        self.used.push((pool, connection));
    }

    fn step(&mut self, capacity: &mut Capacity<u32>, step: Step) {
        let pick = |at: u8, len: usize| usize::from(at).checked_rem(len);
        match step {
            Step::Ask(at) => {
                let (pool, _) = self.pools[usize::from(at) % self.pools.len()];
                match capacity.take(pool, 0, |_| 0) {
                    Taken::Connection(connection) => self.got(pool, connection),
                    Taken::Place(closed) => {
                        self.closed.extend(closed);
                        self.places.push(pool);
                    }
                    Taken::Nothing => {
                        let (ticket, granted) = capacity.wait(pool, at > 250);
                        self.line.push((pool, ticket, granted));
                    }
                }
            }
            Step::GiveBack(at) => {
                let Some(at) = pick(at, self.used.len()) else { return };
                let (pool, connection) = self.used.swap_remove(at);
                self.closed.extend(capacity.give_back(pool, connection, clock::now()));
            }
            Step::Close(at) => {
                let Some(at) = pick(at, self.used.len()) else { return };
                let (pool, connection) = self.used.swap_remove(at);
                self.closed.push(connection);
                self.closed.extend(capacity.closed(pool));
            }
            Step::Made(at) => {
                let Some(at) = pick(at, self.places.len()) else { return };
                let pool = self.places.swap_remove(at);
                self.made += 1;
                self.home.insert(self.made, pool);
                self.used.push((pool, self.made));
                self.closed.extend(capacity.made());
            }
            Step::Failed(at) => {
                let Some(at) = pick(at, self.places.len()) else { return };
                let pool = self.places.swap_remove(at);
                self.closed.extend(capacity.failed(pool));
            }
            Step::Cancel(at) => {
                let Some(at) = pick(at, self.line.len()) else { return };
                let (pool, ticket, mut granted) = self.line.swap_remove(at);
                if capacity.cancel(ticket) {
                    return;
                }
                match granted.try_recv() {
                    Ok(Granted::Connection(connection)) => {
                        self.closed.extend(capacity.give_back(pool, connection, clock::now()));
                    }
                    Ok(Granted::Place) => self.closed.extend(capacity.failed(pool)),
                    Err(error) => panic!("out of the line without a grant: {error}"),
                }
            }
            Step::Tidy(at) => {
                let (pool, _) = self.pools[usize::from(at) % self.pools.len()];
                self.closed.extend(capacity.retain(pool, |connection, _, _| *connection % 2 == 0));
            }
            Step::Warm(at) => {
                let (pool, _) = self.pools[usize::from(at) % self.pools.len()];
                if capacity.reserve(pool) {
                    self.places.push(pool);
                }
            }
        }
        for (pool, ticket, mut granted) in std::mem::take(&mut self.line) {
            match granted.try_recv() {
                Ok(Granted::Connection(connection)) => self.got(pool, connection),
                Ok(Granted::Place) => self.places.push(pool),
                Err(_) => self.line.push((pool, ticket, granted)),
            }
        }
    }

    fn check(&self, capacity: &Capacity<u32>) {
        let idle: u32 = capacity.pools.iter().flatten().map(|entry| entry.idle.len() as u32).sum();
        let busy = (self.used.len() + self.places.len()) as u32;
        assert_eq!(capacity.usage(), (busy, idle), "something was lost, or is counted twice");
        let limits = capacity.limits;
        assert!(busy + idle <= limits.server && self.places.len() as u32 <= limits.connecting);
        for user in ["a", "b"] {
            let of_user = |pool: &PoolIndex| self.pools.iter().any(|(one, name)| one == pool && *name == user);
            let count: u32 =
                self.pools.iter().filter(|(pool, _)| of_user(pool)).map(|(pool, _)| capacity.size(*pool)).sum();
            assert!(count <= limits.user, "{count} of {user}");
            assert_eq!(capacity.users.get(user).copied().unwrap_or(0), count);
        }
        assert_eq!(capacity.waiting(), self.line.len());
        for (pool, ..) in &self.line {
            let entry = capacity.pool(*pool).expect("it is waited for");
            assert!(entry.idle.is_empty(), "one waits for a pool that has an idle connection");
            assert!(capacity.limit(*pool).is_some(), "one waits who could make a connection");
            let others = |user: Option<&str>| {
                let all = capacity.pools.iter().flatten();
                all.filter(|other| user.is_none_or(|user| &*other.user == user)).any(|other| !other.idle.is_empty())
            };
            let room = match capacity.limit(*pool) {
                Some(Limit::User) => others(Some(&entry.user)),
                Some(Limit::Server) => others(None),
                Some(Limit::Connecting) | None => false,
            };
            assert!(!room || self.places.len() as u32 >= limits.connecting, "one waits beside an idle connection");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_lost_no_limit_is_passed_and_nobody_waits_in_vain(
        (server, user, connecting) in (1u32..6, 1u32..5, 1u32..4),
        steps in prop::collection::vec(step(), 1..200),
    ) {
        let mut capacity = Capacity::new(limits(server, user, connecting));
        let mut model = Model::default();
        for user in ["a", "a", "b", "b"] {
            model.pools.push((capacity.add(user.into()), user));
        }
        for step in steps {
            model.step(&mut capacity, step);
            model.check(&capacity);
        }
        // Whoever waits is served at last.
        for _ in 0..1000 {
            if model.line.is_empty() {
                break;
            }
            let step = if model.places.is_empty() { Step::GiveBack(0) } else { Step::Made(0) };
            model.step(&mut capacity, step);
            model.check(&capacity);
        }
        prop_assert!(model.line.is_empty());
    }
}
