//! The session loop: the file to read first. One task owns one session: it reads a command, asks the session what is to
//! be done, does it, and waits for the next.

use std::future::{Future as _, poll_fn};
use std::io::ErrorKind;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::client::Client;
use super::clients::{ClientHandle, Poke};
use super::error::SessionError;
use super::execute::Run;
use super::kill::{Killed, kill};
use super::labels::command_label;
use super::leases::{Leases, release};
use super::login::{LoggedIn, LoginError, UserGuard, change_user, refuse_protocol};
use super::shared::Shared;
use crate::backend::{BackendError, Connection, Lease, ServerPools};
use crate::clock;
use crate::cluster::Flavor;
use crate::routing::{RouteReason, Surroundings};
use crate::session::{Answer, Environment, IdleEnd, KILL_VALUE_END, MemoryScope, Plan, Session, Settings, Slot};
use crate::sql::{KillTarget, KillWhom};
use crate::telemetry::{Kind, Origin, ProtocolSide, Record, TargetLabel};
use crate::wire::command::code;
use crate::wire::err::PACKET_TOO_LARGE;
use crate::wire::inbox::RawCommand;
use crate::wire::statement::ClientStatementId;
use crate::wire::{Command, ErrPacket};

/// A session and all it holds.
struct Served<'a> {
    shared: &'a Arc<Shared>,
    client: &'a mut Client,
    handle: &'a ClientHandle,
    session: Session,
    leases: Leases,
    /// None while it logs in anew.
    user: Option<UserGuard>,
    collation: u16,
    /// A cheap generator for breaking ties among replicas.
    random: u64,
    /// When the last command ended.
    ended: Instant,
    /// The settings whose schema and `wait_timeout` others were shown last, and whether the session knew its base then.
    shown: Option<(Arc<Settings>, bool)>,
}

/// What a silent client is waited for with.
enum Event {
    Command(RawCommand),
    Closed,
    /// Its connection is reset, without a word.
    Reset,
    /// It is told why, in the words of this side.
    Leave(ErrPacket, Origin),
}

/// How a session ended.
enum Left {
    /// The client said so.
    Quit,
    /// In any other way.
    Cut,
}

/// Waits until `hold` is over and somebody waits for a connection to one of these servers.
async fn held(hold: Duration, servers: &[Option<Arc<ServerPools>>; 2]) {
    tokio::time::sleep(hold).await;
    let wanted = async |server: &Option<Arc<ServerPools>>| match server {
        Some(server) => server.wanted().await,
        None => std::future::pending().await,
    };
    let [primary, replica] = servers;
    tokio::select! {
        () = wanted(primary) => {}
        () = wanted(replica) => {}
    }
}

/// Serves one client until it leaves, breaks, or is told to.
pub(super) async fn run(
    shared: &Arc<Shared>,
    client: &mut Client,
    handle: &ClientHandle,
    logged_in: Box<LoggedIn>,
) -> Result<(), SessionError> {
    let mut served = Served::new(shared, client, handle, logged_in);
    let result = served.serve().await;
    if !matches!(result, Ok(Left::Quit)) {
        shared.aborted_clients.fetch_add(1, Ordering::Relaxed);
    }
    Box::pin(served.leases.end(&served.session)).await;
    result.map(|_| ())
}

impl<'a> Served<'a> {
    /// Not part of [`run`]: what it moves would have its room in that, for each client and all the time.
    fn new(
        shared: &'a Arc<Shared>,
        client: &'a mut Client,
        handle: &'a ClientHandle,
        logged_in: Box<LoggedIn>,
    ) -> Self {
        let (session, leases, user, collation) = begin(shared, handle, logged_in);
        client.watched = shared.config.proxy.kill_on_disconnect;
        let random = u64::from(handle.id).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        let (user, ended) = (Some(user), clock::now());
        Self { shared, client, handle, session, leases, user, collation, random, ended, shown: None }
    }
}

/// What a login, or one anew, begins.
fn begin(shared: &Shared, handle: &ClientHandle, logged_in: Box<LoggedIn>) -> (Session, Leases, UserGuard, u16) {
    let LoggedIn { mut session, user, confined, collation, attributes } = *logged_in;
    greet(shared, &mut session);
    let client = handle.address().host();
    let mut leases = Leases::new(user.0.clone(), client, attributes, collation, session.capabilities());
    handle.set_account(user.0.account.clone());
    *leases.slot(Slot::Primary) = confined;
    (session, leases, user, collation)
}

impl Served<'_> {
    async fn serve(&mut self) -> Result<Left, SessionError> {
        loop {
            match self.next().await? {
                Event::Command(command) => {
                    let quits = command.payload.first() == Some(&code::QUIT);
                    if !self.command(&command).await? {
                        return Ok(if quits { Left::Quit } else { Left::Cut });
                    }
                }
                Event::Closed => return Ok(Left::Cut),
                Event::Reset => {
                    self.client.reset = true;
                    return Ok(Left::Cut);
                }
                Event::Leave(error, origin) => {
                    self.client.stream.begin();
                    let _ = self.client.refuse(&error, 0).await;
                    self.shared.metrics.error(error.code, origin);
                    return Ok(Left::Cut);
                }
            }
        }
    }

    /// Waits for the client's next command. Only here may a session end without breaking a promise.
    async fn next(&mut self) -> Result<Event, SessionError> {
        let mut idle = false;
        loop {
            match self.client.next_command() {
                // Who was told that a KILL succeeded must not see its victim go on.
                Ok(Some(_)) if self.handle.is_poked(Poke::Killed) => return Ok(Event::Closed),
                Ok(Some(command)) => {
                    self.handle.spoke();
                    return Ok(Event::Command(command));
                }
                Ok(None) => {}
                Err(error) => {
                    self.shared.metrics.protocol_error(ProtocolSide::Client);
                    if let Some(suppressed) = self.shared.tells("a client broke the protocol") {
                        let (client, id) = (self.handle.address(), self.handle.id);
                        tracing::info!(%client, id, %error, suppressed, "a client broke the protocol");
                    }
                    refuse_protocol(self.client, &error, None).await;
                    return Err(error.into());
                }
            }
            if !idle {
                idle = true;
                self.client.release();
                self.rest();
            }
            if let Some(event) = self.told() {
                return Ok(event);
            }
            if self.handle.is_poked(Poke::Rest) {
                self.client.rest();
                self.session.rest();
            }
            let holds = [Slot::Primary, Slot::Replica]
                .into_iter()
                .any(|slot| self.session.holds_only(slot) && self.leases.slot(slot).is_some());
            let hold = self.session.hold();
            let pressure = if holds { self.pressure() } else { [None, None] };
            let pinned = self.session.pinned();
            let watched = pinned.and_then(|slot| self.leases.slot(slot).as_mut());
            let watches = watched.is_some();
            tokio::select! {
                biased;
                read = self.client.read() => match read {
                    Ok(()) => {}
                    Err(error) if error.kind() == ErrorKind::UnexpectedEof && !self.client.is_midway() => {
                        return Ok(Event::Closed);
                    }
                    Err(error) => return Err(self.broke(error).await),
                },
                () = self.handle.poked() => {}
                // In a block of its own: select evaluates also what it does not wait for, and a sleep reads the clock.
                () = async { held(hold, &pressure).await }, if holds => Box::pin(self.relieve()).await,
                event = gone(watched), if watches => {
                    if let Some(slot) = pinned {
                        *self.leases.slot(slot) = None;
                        self.session.lost(slot);
                    }
                    tracing::debug!(id = self.handle.id, "the server ended the connection that the session depended on");
                    return Ok(event);
                }
            }
        }
    }

    /// The servers of the connections that are kept only for what may be asked about them.
    fn pressure(&mut self) -> [Option<Arc<ServerPools>>; 2] {
        [Slot::Primary, Slot::Replica].map(|slot| {
            let held = self.session.holds_only(slot).then(|| self.leases.slot(slot).as_ref()).flatten();
            held.and_then(|lease| self.shared.pools.server(lease.server).cloned())
        })
    }

    /// Milliseconds from the start of the process to `at`.
    fn millis(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.shared.started).as_millis()).unwrap_or(u64::MAX)
    }

    /// The client is silent: others may see what it is left with.
    fn rest(&mut self) {
        let lease = self.session.pinned().and_then(|slot| self.leases.slot(slot).as_ref());
        let bound = lease.and_then(|lease| Some((lease.server, lease.thread_id, self.session.pins().first()?)));
        self.handle.rest(self.millis(self.ended), bound);
        let (settings, informed) = (self.session.settings(), self.session.is_informed());
        if !self.shown.as_ref().is_some_and(|(shown, knew)| Arc::ptr_eq(shown, settings) && *knew == informed) {
            self.handle.set_schema(settings.schema.clone());
            self.handle.set_patience(self.session.patience());
            self.shown = Some((settings.clone(), informed));
        }
    }

    /// A command begins: others may see it.
    fn show(&self, command: &RawCommand, began: Instant) {
        let first = command.payload.first().copied().unwrap_or_default();
        let statement = match first {
            code::QUERY => match Command::parse(&command.payload, self.session.capabilities()) {
                Ok(Command::Query(text)) => command.payload.slice_ref(text),
                _ => Bytes::new(),
            },
            code::STMT_PREPARE => command.payload.slice(1..),
            code::STMT_EXECUTE | code::STMT_BULK_EXECUTE => {
                let id = command.payload.get(1..5).and_then(|id| id.first_chunk::<4>());
                let known = id.and_then(|id| self.session.statements().get(ClientStatementId(u32::from_le_bytes(*id))));
                known.map(|known| known.text.clone()).unwrap_or_default()
            }
            _ => Bytes::new(),
        };
        self.handle.begin_command(first, statement, self.millis(began));
    }

    /// The client's connection broke. One that sent what cannot be unpacked is told, in the words of servers.
    async fn broke(&mut self, error: std::io::Error) -> SessionError {
        if error.kind() == ErrorKind::InvalidData && self.client.stream.is_compressed() {
            self.shared.metrics.protocol_error(ProtocolSide::Client);
            self.shared.metrics.error(1157, Origin::Proxy);
            let text = format!("Couldn't uncompress communication packet (pointsman: {error})");
            let _ = self.client.refuse(&ErrPacket::new(1157, b"08S01", &text), 1).await;
            return SessionError::Ended("it sent a compressed packet that cannot be unpacked");
        }
        error.into()
    }

    /// What the client's task was woken for.
    fn told(&self) -> Option<Event> {
        // As servers do it: without a word.
        if self.handle.is_poked(Poke::Killed) {
            return Some(Event::Closed);
        }
        if self.handle.is_poked(Poke::Drain) && self.session.pinned().is_none() && !self.client.is_midway() {
            let text = "Server shutdown in progress (pointsman is shutting down)";
            return Some(Event::Leave(ErrPacket::new(1053, b"08S01", text), Origin::Proxy));
        }
        if self.handle.is_poked(Poke::Idle) {
            let text =
                "The client was disconnected by the server because of inactivity (pointsman: proxy.idle_timeout)";
            return Some(Event::Leave(ErrPacket::new(4031, b"HY000", text), Origin::Proxy));
        }
        if self.handle.is_poked(Poke::Waited) && !self.client.is_midway() {
            return self.waited();
        }
        None
    }

    /// It was silent for longer than its session may be; None: it has spoken since.
    fn waited(&self) -> Option<Event> {
        let silent = clock::now().saturating_duration_since(self.ended);
        if self.session.patience().is_none_or(|patience| silent < patience) {
            self.handle.unpoke(Poke::Waited);
            return None;
        }
        Some(match self.session.idle_end() {
            IdleEnd::Reset => Event::Reset,
            IdleEnd::Close => Event::Closed,
            IdleEnd::Told => Event::Leave(IdleEnd::error(), Origin::Proxy),
        })
    }

    /// Gives back connections that are kept only for what may be asked about them, if others wait for one.
    async fn relieve(&mut self) {
        for slot in [Slot::Primary, Slot::Replica] {
            if !self.session.holds_only(slot) {
                continue;
            }
            let Some(lease) = self.leases.slot(slot).take() else { continue };
            let pressed = self.shared.pools.server(lease.server).is_some_and(|server| server.waiting() > 0);
            if !pressed {
                *self.leases.slot(slot) = Some(lease);
                continue;
            }
            release(lease, slot, &mut self.session).await;
        }
    }

    /// Asks the session what is to be done.
    fn plan(&mut self, command: &RawCommand, now: Instant) -> Plan {
        // A linear congruential step: only ties among equal replicas hang on it.
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let cluster = self.shared.cluster.load();
        let pools = &self.shared.pools;
        let agreed = self.session.capabilities();
        let memory = self.shared.memory.generation().map(|generation| MemoryScope {
            account: self.leases.user.account.id.0,
            collation: self.collation,
            generation,
        });
        let held = self.leases.slot(Slot::Primary).as_ref().map(|lease| (lease.server, lease.thread_id));
        let (clients, id) = (&self.shared.clients, self.handle.id);
        let owners = || {
            let Some(primary) = cluster.primary().map(|primary| primary.id) else { return Vec::new() };
            let others = clients.all().into_iter().filter(|client| client.id != id);
            let others = others.filter_map(|client| Some((client.thread(primary)?, client.id)));
            held.filter(|(server, _)| *server == primary)
                .map(|(_, thread)| (thread, id))
                .into_iter()
                .chain(others)
                .collect()
        };
        let environment = Environment {
            owners: &owners,
            classifier: &self.shared.classifier,
            around: Surroundings {
                cluster: &cluster,
                policy: &self.shared.policy,
                load: &|id| pools.load(id),
                able: &|id| pools.server(id).is_none_or(|server| server.is_able(agreed)),
                random: self.random >> 16,
                now,
            },
            last_global_write: self.shared.last_write(),
            keys: self.shared.keys(),
            memory,
        };
        self.session.plan(command, &environment)
    }

    /// Serves one command. False: the client leaves.
    async fn command(&mut self, command: &RawCommand) -> Result<bool, SessionError> {
        let began = clock::now();
        self.show(command, began);
        let plan = self.plan(command, began);
        let sequence = command.next_sequence;
        let mut error = None;
        match plan {
            Plan::Run(job) => {
                let replication = job.replication;
                let (ended, error) = self.runs().run(job, command, began).await?;
                self.ended = ended;
                // A server that finds a command too long says so and closes the connection.
                return Ok(error != Some(PACKET_TOO_LARGE) && (!replication || goes_on(command.payload.first(), error)));
            }
            Plan::Answer(Answer::Ok(warnings)) => {
                self.client.ok(self.session.status(), warnings, sequence).await?;
            }
            Plan::Answer(Answer::Eof(warnings)) => {
                self.client.eof(self.session.status(), warnings, sequence).await?;
            }
            Plan::Answer(Answer::Nothing) => {}
            Plan::Refuse(packet) => {
                error = Some((packet.code, Origin::Proxy));
                self.client.refuse(&packet, sequence).await?;
            }
            Plan::Close(key) => {
                if let Some(key) = key {
                    for slot in [Slot::Primary, Slot::Replica] {
                        if let Some(lease) = self.leases.slot(slot) {
                            lease.statements.forget(key);
                        }
                    }
                }
                self.leases.give_back(&mut self.session);
            }
            Plan::Reset => error = self.reset(sequence).await?,
            Plan::ChangeUser(payload) => self.change_user(&payload, sequence).await?,
            Plan::Kill(target) => {
                let (goes_on, refused) = self.kill(&target, sequence).await?;
                if !goes_on {
                    return Ok(false);
                }
                error = refused;
            }
            Plan::KillValue { job, query } => {
                let (goes_on, refused) = match Box::pin(self.runs().evaluate(&job)).await {
                    Ok(id) => self.kill(&KillTarget { whom: KillWhom::Id(id), query, graded: false }, sequence).await?,
                    Err(mut packet) => {
                        // As it would say of the KILL: what was put behind its expression is not the client's.
                        packet.message = packet.message.replace(KILL_VALUE_END, "").into();
                        self.client.refuse(&packet, sequence).await?;
                        (true, Some((packet.code, Origin::Server)))
                    }
                };
                if !goes_on {
                    return Ok(false);
                }
                error = refused;
            }
            Plan::Quit => return Ok(false),
        }
        self.ended = clock::now();
        self.answered(command, began, error);
        Ok(true)
    }

    /// What running a job needs.
    fn runs(&mut self) -> Run<'_> {
        Run {
            shared: self.shared,
            client: self.client,
            handle: self.handle,
            session: &mut self.session,
            leases: &mut self.leases,
        }
    }

    /// COM_RESET_CONNECTION; gives the error that the client got. A session whose password had expired keeps its connection:
    /// there may be no other.
    async fn reset(&mut self, sequence: u8) -> Result<Option<(u16, Origin)>, SessionError> {
        let confined = self.session.is_confined();
        let kept = if confined { self.leases.slot(Slot::Primary).take() } else { None };
        self.leases.end(&self.session).await;
        if let Some(mut lease) = kept {
            let reset = lease.reset().await;
            *self.leases.slot(Slot::Primary) = Some(lease);
            match reset {
                Ok(()) => {}
                Err(BackendError::State { error, .. }) => {
                    self.client.refuse(&error, sequence).await?;
                    return Ok(Some((error.code, Origin::Server)));
                }
                Err(error) => return Err(error.into()),
            }
        }
        if let Some(base) = self.shared.greetings.base(self.collation, self.session.capabilities()) {
            self.session.learn_anew(&base);
        }
        self.session.reset();
        if confined {
            self.session.confine();
        }
        self.client.ok(self.session.status(), 0, sequence).await?;
        Ok(None)
    }

    /// KILL. False: it was the client's own connection. With the error that it got.
    async fn kill(&mut self, target: &KillTarget, sequence: u8) -> Result<(bool, Option<(u16, Origin)>), SessionError> {
        let mariadb = Flavor::from_version(&self.shared.greetings.primary().version) == Flavor::MariaDb;
        let (goes_on, packet) = match Box::pin(kill(self.shared, self.handle, target, mariadb)).await {
            Ok(Killed::Others(killed)) => {
                // MariaDB counts those that KILL USER ended.
                let counted =
                    if matches!(target.whom, KillWhom::User(..) | KillWhom::CurrentUser) { killed } else { 0 };
                self.client.ok_with(counted, self.session.status(), sequence).await?;
                return Ok((true, None));
            }
            Ok(Killed::Own) if mariadb => (false, ErrPacket::new(1927, b"70100", "Connection was killed")),
            Ok(killed @ (Killed::Own | Killed::OwnQuery)) => {
                let text = "Query execution was interrupted";
                (killed == Killed::OwnQuery, ErrPacket::new(1317, b"70100", text))
            }
            Err(packet) => (true, packet),
        };
        self.client.refuse(&packet, sequence).await?;
        Ok((goes_on, Some((packet.code, Origin::Proxy))))
    }

    /// Counts a command that the proxy answered.
    fn answered(&self, command: &RawCommand, began: Instant, error: Option<(u16, Origin)>) {
        let label = Command::parse(&command.payload, self.session.capabilities()).map(command_label);
        self.shared.metrics.finish(&Record {
            server: None,
            target: TargetLabel::Proxy,
            reason: RouteReason::Proxy,
            kind: Kind::Command(label.unwrap_or(crate::telemetry::Command::Other)),
            total: self.ended.saturating_duration_since(began),
            waited: Duration::ZERO,
            bytes_from_client: command.payload.len() as u64 + 4,
            bytes_to_client: 0,
            bytes_from_server: 0,
            bytes_to_server: 0,
            error,
        });
    }

    fn begin_anew(&mut self, logged_in: Box<LoggedIn>) {
        let (mut session, leases, user, collation) = begin(self.shared, self.handle, logged_in);
        session.keep_option(&self.session);
        (self.session, self.leases, self.user, self.collation) = (session, leases, Some(user), collation);
    }

    async fn change_user(&mut self, payload: &[u8], sequence: u8) -> Result<(), SessionError> {
        self.leases.end(&self.session).await;
        let limit = self.shared.config.proxy.login_timeout;
        // Its place is free: who logs in anew as the same user must not be one too many.
        self.user = None;
        let login = change_user(self.shared, self.client, self.handle, payload, self.collation, sequence);
        match tokio::time::timeout(limit, Box::pin(login)).await {
            Ok(Ok(logged_in)) => {
                self.begin_anew(logged_in);
                Ok(())
            }
            Ok(Err(LoginError::Failed(why, text))) => {
                self.shared.metrics.login_failed(why);
                Err(SessionError::Ended(text))
            }
            Ok(Err(LoginError::Session(why, error))) => {
                self.shared.metrics.login_failed(why);
                Err(error)
            }
            Err(_) => Err(SessionError::Ended("COM_CHANGE_USER was not complete within proxy.login_timeout")),
        }
    }
}

/// Whether servers let the connection go on behind a replica's command: behind a binary log they end it, however it ended,
/// but not where they did not begin (MariaDB 10.11, MySQL 9.7).
fn goes_on(command: Option<&u8>, error: Option<u16>) -> bool {
    const UNKNOWN_COMMAND: u16 = 1047;
    const ACCESS_DENIED: u16 = 1227;
    match command {
        Some(&(code::BINLOG_DUMP | code::BINLOG_DUMP_GTID)) => matches!(error, Some(UNKNOWN_COMMAND | ACCESS_DENIED)),
        Some(&code::SUBSCRIBE_GROUP_REPLICATION_STREAM) => error == Some(UNKNOWN_COMMAND),
        // Another protocol follows, which is not served.
        Some(&code::CLONE) => error.is_some(),
        _ => true,
    }
}

/// Tells a session what the primary is, and for how long it lets clients be silent.
fn greet(shared: &Shared, session: &mut Session) {
    session.greet(&shared.greetings.primary().version);
    if let Some(idle) = shared.cluster.load().primary().and_then(|primary| primary.state.idle) {
        session.may_idle(idle);
    }
}

/// Waits until the server ends a connection that a silent client depends on: then its client's ends as that did. MySQL says
/// why before it ends an idle one. Cancel safe.
async fn gone(lease: Option<&mut Lease>) -> Event {
    let Some(lease) = lease else { return std::future::pending().await };
    loop {
        if lease.stream.readable().await.is_err() {
            return Event::Closed;
        }
        let Connection { stream, inbox, .. } = &mut **lease;
        // Without a buffer as long as nothing has come; what belongs to TLS itself is nothing for us.
        let read = {
            let mut read = pin!(stream.read(inbox));
            poll_fn(|context| Poll::Ready(read.as_mut().poll(context))).await
        };
        let Poll::Ready(read) = read else { continue };
        return match read.map(|()| inbox.take(UNASKED)) {
            Ok(Ok(Some((_, packet)))) => match packet.get(4..).map(ErrPacket::parse) {
                Some(Ok(error)) if packet.get(4) == Some(&0xFF) => Event::Leave(error, Origin::Server),
                _ => Event::Closed,
            },
            Ok(_) => Event::Closed,
            Err(error) if error.kind() == ErrorKind::ConnectionReset => Event::Reset,
            Err(_) => Event::Closed,
        };
    }
}

/// The longest error that a server says unasked, in bytes.
const UNASKED: usize = 1 << 10;
