//! A network in between: a TCP relay that delivers bytes half a round trip after they arrived, in each direction.
//!
//! One thread waits for all sockets and the next delivery at once, with the kernel's finest timer. Reading goes on while
//! bytes are on their way, so the delay adds latency and takes no bandwidth; the order is kept. A connection costs what
//! it costs over such a network: one round trip until it stands, and what the server says first arrives one later.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use pointsman::clock;
use pointsman::sandbox::MONITOR;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// A round trip.
pub(crate) const ROUND_TRIP: Duration = Duration::from_millis(1);

/// It looks whether it shall end as often.
const LOOK: Duration = Duration::from_millis(100);

const LISTENER: u64 = u64::MAX;

/// A relay in front of one server. Its thread ends with it.
pub(crate) struct Relay {
    address: SocketAddr,
    trips: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Relay {
    pub(crate) fn start(server: SocketAddr) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let (trips, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let state = State {
            server,
            epoll: epoll::create(CreateFlags::CLOEXEC)?,
            listener,
            trips: trips.clone(),
            links: HashMap::new(),
            due: BinaryHeap::new(),
            made: 0,
        };
        epoll::add(&state.epoll, &state.listener, EventData::new_u64(LISTENER), EventFlags::IN)?;
        let stopped = stop.clone();
        let thread = std::thread::Builder::new().name("relay".to_owned()).spawn(move || {
            if let Err(error) = state.run(&stopped) {
                eprintln!("the relay has ended: {error:#}");
            }
        })?;
        Ok(Self { address, trips, stop, thread: Some(thread) })
    }

    /// Where its clients connect.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Round trips until now: one for each connection, and one each time that a server's bytes follow a client's, or
    /// are the first. Connections of the proxy's monitor do not count.
    pub(crate) fn round_trips(&self) -> u64 {
        self.trips.load(Ordering::Relaxed)
    }

    /// What a round trip takes really, and what it takes from connecting to the server's first byte (two of them): the
    /// medians of some.
    pub(crate) fn measure() -> anyhow::Result<(Duration, Duration)> {
        const TIMES: usize = 101;
        let server = TcpListener::bind("127.0.0.1:0")?;
        let relay = Self::start(server.local_addr()?)?;
        let echo = std::thread::spawn(move || -> std::io::Result<()> {
            for _ in 0..TIMES {
                let (mut stream, _) = server.accept()?;
                stream.set_nodelay(true)?;
                let mut byte = [0];
                stream.write_all(&byte)?;
                while stream.read(&mut byte)? > 0 {
                    stream.write_all(&byte)?;
                }
            }
            Ok(())
        });
        let (mut trips, mut greetings) = (Vec::new(), Vec::new());
        for _ in 0..TIMES {
            let began = clock::now();
            let mut stream = TcpStream::connect(relay.address())?;
            stream.set_nodelay(true)?;
            let mut byte = [0];
            stream.read_exact(&mut byte)?;
            greetings.push(clock::now().duration_since(began));
            let began = clock::now();
            stream.write_all(&byte)?;
            stream.read_exact(&mut byte)?;
            trips.push(clock::now().duration_since(began));
        }
        echo.join().map_err(|_| anyhow::anyhow!("the echo server panicked"))??;
        let median = |mut times: Vec<Duration>| {
            times.sort();
            times.get(times.len() / 2).copied().unwrap_or_default()
        };
        Ok((median(trips), median(greetings)))
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _panicked = thread.join();
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Way {
    /// From the client to the server.
    Up,
    Down,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// The server sees the connection.
    Connect,
    Data(Way, Vec<u8>),
    /// One side sends nothing more.
    End(Way),
}

/// One connection.
struct Link {
    client: TcpStream,
    server: Option<TcpStream>,
    /// Which way the last bytes went.
    last: Option<Way>,
    trips: u64,
    counted: bool,
    ended: [bool; 2],
}

struct State {
    server: SocketAddr,
    epoll: std::os::fd::OwnedFd,
    listener: TcpListener,
    trips: Arc<AtomicU64>,
    links: HashMap<u64, Link>,
    /// When, in which order among equals, of which link, what.
    due: BinaryHeap<Reverse<(Instant, u64, u64, Event)>>,
    made: u64,
}

impl State {
    fn run(mut self, stop: &AtomicBool) -> anyhow::Result<()> {
        // Timers of an ordinary thread may be 50 us late (prctl(2), PR_SET_TIMERSLACK).
        rustix::thread::set_current_timer_slack(NonZeroU64::new(1)).context("timer slack")?;
        let mut events = Vec::with_capacity(256);
        while !stop.load(Ordering::Relaxed) {
            let now = clock::now();
            while self.due.peek().is_some_and(|Reverse((at, ..))| *at <= now) {
                if let Some(Reverse((_, _, link, event))) = self.due.pop() {
                    self.deliver(link, event);
                }
            }
            let next = self.due.peek().map_or(LOOK, |Reverse((at, ..))| at.saturating_duration_since(clock::now()));
            // epoll_wait(2) knows milliseconds only.
            let wait = Timespec::try_from(next.min(LOOK)).unwrap_or_default();
            let ready = match poll(&mut [PollFd::new(&self.epoll, PollFlags::IN)], Some(&wait)) {
                Ok(ready) => ready,
                Err(rustix::io::Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
            };
            if ready == 0 {
                continue;
            }
            events.clear();
            epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), Some(&Timespec::default()))?;
            for event in &events {
                match event.data.u64() {
                    LISTENER => self.accept()?,
                    key => self.receive(key),
                }
            }
        }
        Ok(())
    }

    fn later(&mut self, after: Duration, link: u64, event: Event) {
        self.made += 1;
        self.due.push(Reverse((clock::now() + after, self.made, link, event)));
    }

    fn accept(&mut self) -> anyhow::Result<()> {
        let client = match self.listener.accept() {
            Ok((client, _)) => client,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        client.set_nodelay(true)?;
        client.set_nonblocking(true)?;
        self.made += 1;
        let key = self.made;
        epoll::add(&self.epoll, &client, EventData::new_u64(key << 1), EventFlags::IN)?;
        self.trips.fetch_add(1, Ordering::Relaxed);
        let link = Link { client, server: None, last: None, trips: 1, counted: true, ended: [false; 2] };
        self.links.insert(key, link);
        // To the server, back to the client, and to the server again: then the server speaks.
        self.later(ROUND_TRIP * 3 / 2, key, Event::Connect);
        Ok(())
    }

    /// Takes what has arrived on a socket.
    fn receive(&mut self, key: u64) {
        let way = if key & 1 == 0 { Way::Up } else { Way::Down };
        let key = key >> 1;
        let Some(link) = self.links.get_mut(&key) else { return };
        let from = match way {
            Way::Up => Some(&mut link.client),
            Way::Down => link.server.as_mut(),
        };
        let Some(from) = from else { return };
        let mut buffer = [0; 16 << 10];
        let got = match from.read(&mut buffer) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => return,
            // A broken connection ends like one that was closed.
            Err(_) => 0,
            Ok(got) => got,
        };
        if got == 0 {
            let _gone = epoll::delete(&self.epoll, &*from);
            self.later(ROUND_TRIP / 2, key, Event::End(way));
            return;
        }
        let bytes = buffer.get(..got).unwrap_or_default().to_vec();
        if link.last.is_none() || (link.last, way) == (Some(Way::Up), Way::Down) {
            // Whoever speaks first: the greeting is the answer to the connection.
            link.trips += u64::from(way == Way::Down);
            self.trips.fetch_add(u64::from(way == Way::Down && link.counted), Ordering::Relaxed);
        }
        if way == Way::Up
            && link.counted
            && bytes.windows(MONITOR.user.len()).any(|part| part == MONITOR.user.as_bytes())
        {
            link.counted = false;
            self.trips.fetch_sub(link.trips, Ordering::Relaxed);
        }
        link.last = Some(way);
        self.later(ROUND_TRIP / 2, key, Event::Data(way, bytes));
    }

    fn deliver(&mut self, key: u64, event: Event) {
        let Some(link) = self.links.get_mut(&key) else { return };
        match event {
            Event::Connect => {
                // On loopback this waits for nobody.
                let server = TcpStream::connect(self.server).and_then(|server| {
                    server.set_nodelay(true)?;
                    server.set_nonblocking(true)?;
                    epoll::add(&self.epoll, &server, EventData::new_u64(key << 1 | 1), EventFlags::IN)?;
                    Ok(server)
                });
                match server {
                    Ok(server) => link.server = Some(server),
                    Err(_) => drop(self.links.remove(&key)),
                }
            }
            Event::Data(way, bytes) => {
                let to = match way {
                    Way::Up => link.server.as_mut(),
                    Way::Down => Some(&mut link.client),
                };
                // Commands and results here are small: the kernel always has room for them. If it once has not, this
                // waits, and so does everything else.
                let mut rest = bytes.as_slice();
                while let Some(to) = to.as_deref().filter(|_| !rest.is_empty()) {
                    let mut to: &TcpStream = to;
                    match to.write(rest) {
                        Ok(wrote) => rest = rest.get(wrote..).unwrap_or_default(),
                        Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::yield_now(),
                        // The other direction's end tells.
                        Err(_) => return,
                    }
                }
            }
            Event::End(way) => {
                let to = match way {
                    Way::Up => link.server.as_ref(),
                    Way::Down => Some(&link.client),
                };
                let _gone = to.map(|to| to.shutdown(Shutdown::Write));
                if let Some(ended) = link.ended.get_mut(way as usize) {
                    *ended = true;
                }
                if link.ended == [true; 2] {
                    self.links.remove(&key);
                }
            }
        }
    }
}
